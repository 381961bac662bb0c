//! Samples of each game on top of the data.

use crate::ring::{DIMENSIONS, RADIUS};

/// Data behind, samples in front: they differ in lightness too.
const DATA: &str = "#bbbbbb";
const SAMPLES: &str = "#004488";

/// The width of a panel's square and how far it reaches from the origin.
const SIZE: f32 = 300.0;
const REACH: f32 = 1.5 * RADIUS;
const COLUMNS: usize = 2;
const GAP: f32 = 20.0;
/// Room for two lines of text above a square, and for an axis's numbers beside it.
const CAPTION: f32 = 44.0;
const NUMBERS: f32 = 24.0;
const LEGEND: f32 = 24.0;

/// The samples of a game.
pub struct Panel {
    pub title: &'static str,
    pub note: String,
    pub points: Vec<f32>,
}

/// The panels as the text of an SVG.
pub fn draw(data: &[f32], panels: &[Panel]) -> String {
    let columns = COLUMNS.min(panels.len());
    let (width, height) = (SIZE + NUMBERS + GAP, SIZE + CAPTION + NUMBERS + GAP);
    let legend = GAP + panels.len().div_ceil(columns) as f32 * height;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        columns as f32 * width + GAP,
        legend + LEGEND
    );
    for (index, panel) in panels.iter().enumerate() {
        let corner = ((index % columns) as f32 * width + GAP + NUMBERS, (index / columns) as f32 * height + GAP);
        svg += &panel.draw(data, corner);
    }
    for (x, color, text) in [(0.0, DATA, "data"), (80.0, SAMPLES, "samples")] {
        let x = GAP + NUMBERS + x;
        svg += &format!("<circle cx=\"{}\" cy=\"{legend}\" r=\"4\" fill=\"{color}\"/>\n", x + 4.0);
        svg += &format!("<text x=\"{}\" y=\"{}\">{text}</text>\n", x + 14.0, legend + 4.5);
    }
    svg + "</svg>\n"
}

impl Panel {
    fn draw(&self, data: &[f32], (x, y): (f32, f32)) -> String {
        let top = y + CAPTION;
        let mut svg = format!(
            "<text x=\"{x}\" y=\"{}\" font-size=\"15\" font-weight=\"bold\">{}</text>\n\
             <text x=\"{x}\" y=\"{}\">{}</text>\n\
             <rect x=\"{x}\" y=\"{top}\" width=\"{SIZE}\" height=\"{SIZE}\" fill=\"none\" stroke=\"#888\"/>\n",
            y + 15.0,
            self.title,
            y + 34.0,
            self.note
        );
        let place = |value: f32| SIZE * (0.5 + 0.5 * value / REACH);
        for tick in [-RADIUS, 0.0, RADIUS] {
            let (right, up) = (x + place(tick), top + SIZE - place(tick));
            let number = tick.to_string().replace('-', "−");
            svg += &format!(
                "<text x=\"{right}\" y=\"{}\" text-anchor=\"middle\">{number}</text>\n\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{number}</text>\n",
                top + SIZE + 17.0,
                x - 6.0,
                up + 4.5
            );
        }
        for (points, color, radius) in [(data, DATA, 2.5), (&self.points, SAMPLES, 1.5)] {
            svg += &format!("<g fill=\"{color}\">\n");
            for point in points.chunks_exact(DIMENSIONS) {
                // What is outside of the square is not drawn.
                if point.iter().all(|value| value.abs() < REACH) {
                    let (right, up) = (x + place(point[0]), top + SIZE - place(point[1]));
                    svg += &format!("<circle cx=\"{right:.1}\" cy=\"{up:.1}\" r=\"{radius}\"/>\n");
                }
            }
            svg += "</g>\n";
        }
        svg
    }
}
