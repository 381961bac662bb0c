//! Pictures as tensors and as files.

use std::{error::Error, io::Cursor};

use base64::{Engine, prelude::BASE64_STANDARD};
use burn::tensor::{Device, Tensor, TensorData};
use png::{BitDepth, ColorType, Decoder, Encoder};

use crate::common::tensors::floats;

const PHOTO: &[u8] = include_bytes!("../../../examples/data/coffee.png");

/// The photograph `[1, 3, H, W]` with colours from 0 to 1, so many times smaller than it is.
pub fn photo(smaller: usize, device: &Device) -> Result<Tensor<4>, Box<dyn Error>> {
    let mut reader = Decoder::new(Cursor::new(PHOTO)).read_info()?;
    let info = reader.info().clone();
    if (info.color_type, info.bit_depth) != (ColorType::Rgb, BitDepth::Eight) {
        return Err("the photograph is not 8-bit RGB".into());
    }
    let mut bytes = vec![0; reader.output_buffer_size().ok_or("the photograph is too large")?];
    reader.next_frame(&mut bytes)?;
    let (width, height) = (info.width as usize / smaller, info.height as usize / smaller);
    let stride = info.width as usize;
    let mut colors = Vec::new();
    for channel in 0..3 {
        for y in 0..height {
            for x in 0..width {
                let block = (0..smaller * smaller).map(|i| (y * smaller + i / smaller, x * smaller + i % smaller));
                let sum: f32 = block.map(|(row, column)| f32::from(bytes[3 * (row * stride + column) + channel])).sum();
                colors.push(sum / (255 * smaller * smaller) as f32);
            }
        }
    }
    Ok(Tensor::from_data(TensorData::new(colors, [1, 3, height, width]), device))
}

/// A picture with two lines below it.
pub struct Panel {
    pub title: String,
    pub note: String,
    png: Vec<u8>,
    size: [usize; 2],
}

impl Panel {
    pub fn new(title: &str, note: String, picture: Tensor<4>) -> Result<Self, Box<dyn Error>> {
        let [_, _, height, width] = picture.dims();
        let values = floats(picture.permute([0, 2, 3, 1]).clamp(0.0, 1.0))?;
        let bytes: Vec<u8> = values.iter().map(|value| (255.0 * value).round() as u8).collect();
        let mut png = Vec::new();
        let mut encoder = Encoder::new(&mut png, width as u32, height as u32);
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        encoder.write_header()?.write_image_data(&bytes)?;
        Ok(Panel { title: title.to_string(), note, png, size: [width, height] })
    }
}

/// Pictures side by side, as the text of an SVG.
pub fn side_by_side(panels: &[Panel]) -> String {
    const WIDTH: usize = 288;
    const GAP: usize = 16;
    const CAPTION: usize = 48;
    let height = panels.iter().map(|panel| WIDTH * panel.size[1] / panel.size[0]).max().unwrap_or_default();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        GAP + panels.len() * (WIDTH + GAP),
        GAP + height + CAPTION
    );
    for (index, panel) in panels.iter().enumerate() {
        let (x, caption) = (GAP + index * (WIDTH + GAP), GAP + height + 18);
        svg += &format!(
            "<image x=\"{x}\" y=\"{GAP}\" width=\"{WIDTH}\" height=\"{height}\" image-rendering=\"pixelated\" \
             href=\"data:image/png;base64,{}\"/>\n\
             <text x=\"{x}\" y=\"{caption}\" font-weight=\"bold\">{}</text>\n<text x=\"{x}\" y=\"{}\">{}</text>\n",
            BASE64_STANDARD.encode(&panel.png),
            panel.title,
            caption + 17,
            panel.note
        );
    }
    svg + "</svg>\n"
}
