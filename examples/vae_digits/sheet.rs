//! Sheets of digits.

use base64::{Engine, prelude::BASE64_STANDARD};
use png::{BitDepth, ColorType, Encoder, EncodingError};

use crate::common::digits::{PIXELS, WIDTH};

/// Digits in a row.
pub const COLUMNS: usize = 10;

/// How wide a pixel of a digit is drawn, and how far digits are from each other.
const PIXEL: usize = 4;
const GAP: usize = 8;
const CELL: usize = WIDTH * PIXEL + GAP;

const MARGIN: usize = 16;
const TITLE: usize = 32;

/// Digits in rows of ten.
pub struct Sheet {
    pub title: String,
    pub images: Vec<f32>,
}

/// Sheets side by side, as the text of an SVG.
pub fn draw(sheets: &[Sheet]) -> Result<String, EncodingError> {
    let rows = sheets.iter().map(Sheet::rows).max().unwrap_or(0);
    let width = COLUMNS * CELL + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" \
         font-size=\"15\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        sheets.len() * width,
        rows * CELL + TITLE + 2 * MARGIN
    );
    for (index, sheet) in sheets.iter().enumerate() {
        let x = index * width + MARGIN;
        svg += &format!(
            "<text x=\"{x}\" y=\"{}\" font-weight=\"bold\">{}</text>\n\
             <image x=\"{x}\" y=\"{}\" width=\"{}\" height=\"{}\" href=\"data:image/png;base64,{}\"/>\n",
            MARGIN + 15,
            sheet.title,
            MARGIN + TITLE,
            COLUMNS * CELL,
            sheet.rows() * CELL,
            BASE64_STANDARD.encode(sheet.png()?)
        );
    }
    Ok(svg + "</svg>\n")
}

impl Sheet {
    fn rows(&self) -> usize {
        self.images.len().div_ceil(PIXELS * COLUMNS)
    }

    /// The digits in ink on paper.
    fn png(&self) -> Result<Vec<u8>, EncodingError> {
        let (width, height) = (COLUMNS * CELL, self.rows() * CELL);
        let mut paper = vec![255; width * height];
        for (index, image) in self.images.chunks_exact(PIXELS).enumerate() {
            let (left, top) = (index % COLUMNS * CELL, index / COLUMNS * CELL);
            for (y, row) in (0..WIDTH * PIXEL).map(|y| (top + y, &image[y / PIXEL * WIDTH..])) {
                let line = &mut paper[y * width + left..][..WIDTH * PIXEL];
                line.iter_mut().enumerate().for_each(|(x, value)| *value = (255.0 * (1.0 - row[x / PIXEL])) as u8);
            }
        }
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, width as u32, height as u32);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(BitDepth::Eight);
        encoder.write_header()?.write_image_data(&paper)?;
        Ok(file)
    }
}
