//! The photograph, its mask and what the network made of it, side by side.

use base64::{Engine, prelude::BASE64_STANDARD};
use png::{BitDepth, ColorType, Encoder, EncodingError};

use crate::scene::{CLASSES, PHOTO, Scene};

const PANELS_PER_ROW: usize = 5;
const GAP: usize = 16;
/// Room for two lines of text below a picture.
const CAPTION: usize = 44;
const LEGEND: usize = 24;

/// A picture with two lines below it.
struct Panel {
    png: Vec<u8>,
    title: String,
    note: String,
}

/// The pictures as the text of an SVG. Each prediction, a class per pixel, comes with a title and a note.
pub fn draw(scene: &Scene, predictions: &[(String, String, Vec<u8>)]) -> Result<String, EncodingError> {
    let mut panels = vec![
        Panel { png: PHOTO.to_vec(), title: "photograph".into(), note: String::new() },
        Panel { png: mask(scene)?, title: "mask".into(), note: "IoU is of the pale part, held out".into() },
    ];
    for (title, note, classes) in predictions {
        let png = encode(scene, classes, &scene.palette)?;
        panels.push(Panel { png, title: title.clone(), note: note.clone() });
    }

    let (width, height) = (scene.width + GAP, scene.height + CAPTION);
    let columns = PANELS_PER_ROW.min(panels.len());
    let (total_width, legend) = (GAP + columns * width, GAP + panels.len().div_ceil(columns) * height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{total_width}\" height=\"{}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        legend + LEGEND
    );
    for (index, panel) in panels.iter().enumerate() {
        svg += &panel.draw(scene, GAP + index % columns * width, GAP + index / columns * height);
    }
    for (class, (name, color)) in CLASSES.iter().zip(scene.palette.chunks_exact(3)).enumerate() {
        let x = GAP + class * width / 2;
        svg += &format!(
            "<rect x=\"{x}\" y=\"{legend}\" width=\"12\" height=\"12\" fill=\"rgb({}, {}, {})\"/>\n\
             <text x=\"{}\" y=\"{}\">{name}</text>\n",
            color[0],
            color[1],
            color[2],
            x + 18,
            legend + 11
        );
    }
    Ok(svg + "</svg>\n")
}

impl Panel {
    fn draw(&self, scene: &Scene, x: usize, y: usize) -> String {
        let caption = y + scene.height + 15;
        format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" href=\"data:image/png;base64,{}\"/>\n\
             <text x=\"{x}\" y=\"{caption}\" font-weight=\"bold\">{}</text>\n\
             <text x=\"{x}\" y=\"{}\">{}</text>\n",
            scene.width,
            scene.height,
            BASE64_STANDARD.encode(&self.png),
            self.title,
            caption + 17,
            self.note
        )
    }
}

/// The mask, pale where training does not see it.
fn mask(scene: &Scene) -> Result<Vec<u8>, EncodingError> {
    let pale = scene.palette.iter().map(|&value| value / 3 + 170);
    let palette: Vec<u8> = scene.palette.iter().copied().chain(pale).collect();
    let pale = |pixel| if scene.is_trained(pixel) { 0 } else { (scene.palette.len() / 3) as u8 };
    let indices: Vec<u8> = scene.mask.iter().enumerate().map(|(pixel, &class)| class + pale(pixel)).collect();
    encode(scene, &indices, &palette)
}

/// A PNG of a colour from the palette for each pixel.
fn encode(scene: &Scene, indices: &[u8], palette: &[u8]) -> Result<Vec<u8>, EncodingError> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, scene.width as u32, scene.height as u32);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(palette);
    encoder.write_header()?.write_image_data(indices)?;
    Ok(file)
}
