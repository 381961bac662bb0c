//! Where the held-out digits lie, a map for each loss.

use crate::{
    common::digits::CLASSES,
    sphere::{self, MAP_RADII, Vector},
};

/// Colours of the digits, by Paul Tol for colour-blind eyes too. The numbers at the classes' centres say the rest.
const COLORS: [&str; CLASSES] =
    ["#332288", "#88ccee", "#117733", "#ddcc77", "#cc6677", "#882255", "#44aa99", "#999933", "#aa4499", "#777777"];

const COLUMNS: usize = 2;
const RADII: [f32; 2] = [220.0, 110.0];
const GAP: f32 = 16.0;
/// Room for two lines of text above a map.
const CAPTION: f32 = 46.0;

/// A map of the held-out digits.
pub struct Panel {
    pub title: String,
    pub note: String,
    pub places: Vec<Vector>,
}

/// The maps as the text of an SVG, and an explanation.
pub fn draw(panels: &[Panel], labels: &[i32], explanation: &[String]) -> String {
    let columns = COLUMNS.min(panels.len() + 1);
    let cells = panels.len() + 1;
    let (width, height) = (2.0 * RADII[0] + 2.0 * GAP, 2.0 * RADII[1] + CAPTION + GAP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        columns as f32 * width,
        cells.div_ceil(columns) as f32 * height + GAP
    );
    let corner = |cell: usize| ((cell % columns) as f32 * width + GAP, (cell / columns) as f32 * height + GAP);
    for (cell, panel) in panels.iter().enumerate() {
        svg += &panel.draw(labels, corner(cell));
    }
    svg += &legend(explanation, corner(panels.len()));
    svg + "</svg>\n"
}

impl Panel {
    fn draw(&self, labels: &[i32], (x, y): (f32, f32)) -> String {
        let [centre_x, centre_y] = [x + RADII[0], y + CAPTION + RADII[1]];
        let scale = RADII[0] / MAP_RADII[0];
        let position = |[map_x, map_y]: [f32; 2]| (centre_x + scale * map_x, centre_y - scale * map_y);
        let mut svg = format!(
            "<text x=\"{x}\" y=\"{}\" font-size=\"15\" font-weight=\"bold\">{}</text>\n\
             <text x=\"{x}\" y=\"{}\">{}</text>\n\
             <ellipse cx=\"{centre_x}\" cy=\"{centre_y}\" rx=\"{}\" ry=\"{}\" fill=\"#f7f7f7\" stroke=\"#bbb\"/>\n",
            y + 15.0,
            self.title,
            y + 34.0,
            self.note,
            RADII[0],
            RADII[1]
        );
        for line in sphere::graticule() {
            let points: Vec<String> = line
                .into_iter()
                .map(|point| {
                    let (x, y) = position(point);
                    format!("{x:.1},{y:.1}")
                })
                .collect();
            svg += &format!("<polyline points=\"{}\" fill=\"none\" stroke=\"#e2e2e2\"/>\n", points.join(" "));
        }
        let axes = sphere::turn(&self.places);
        let turned: Vec<Vector> = self.places.iter().map(|place| sphere::apply(&axes, place)).collect();
        let of_class = |class: usize| {
            let labelled = turned.iter().zip(labels);
            labelled.filter(move |(_, label)| **label as usize == class).map(|(place, _)| place)
        };
        for (class, color) in COLORS.iter().enumerate() {
            svg += &format!("<g fill=\"{color}\" fill-opacity=\"0.75\">\n");
            for place in of_class(class) {
                let (x, y) = position(sphere::map(place));
                svg += &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>\n");
            }
            svg += "</g>\n";
        }
        for class in 0..CLASSES {
            let (x, y) = position(sphere::map(&sphere::centre(of_class(class))));
            svg += &number(class, x, y);
        }
        svg
    }
}

/// A digit that can be read on top of anything.
fn number(class: usize, x: f32, y: f32) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"18\" font-weight=\"bold\" text-anchor=\"middle\" fill=\"#222\" \
         stroke=\"white\" stroke-width=\"4\" stroke-linejoin=\"round\" paint-order=\"stroke\">{class}</text>\n",
        y + 6.5
    )
}

fn legend(explanation: &[String], (x, y): (f32, f32)) -> String {
    let mut svg = String::new();
    for (class, color) in COLORS.iter().enumerate() {
        let x = x + 10.0 + 43.0 * class as f32;
        let y = y + CAPTION + 20.0;
        svg += &format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"5\" fill=\"{color}\"/>\n");
        svg += &number(class, x + 15.0, y);
    }
    for (line, text) in explanation.iter().enumerate() {
        svg += &format!("<text x=\"{x}\" y=\"{}\">{text}</text>\n", y + CAPTION + 64.0 + 19.0 * line as f32);
    }
    svg
}
