//! The photograph and its mask.

use std::{error::Error, io::Cursor};

use png::{BitDepth, ColorType, Decoder};

/// The file of the photograph.
pub const PHOTO: &[u8] = include_bytes!("../data/coffee.png");
const MASK: &[u8] = include_bytes!("../data/coffee_mask.png");

/// What the mask tells apart, by index.
pub const CLASSES: [&str; 4] = ["table", "cup", "coffee", "spoon"];

/// Training sees every second of the blocks that the picture is cut into, this many pixels wide and high.
const BLOCK: usize = 16;

/// A photograph and what its pixels show.
pub struct Scene {
    pub width: usize,
    pub height: usize,
    /// Red, green and blue, from 0 to 1 for each pixel.
    pub colors: [Vec<f32>; 3],
    /// The class of each pixel.
    pub mask: Vec<u8>,
    /// Red, green and blue to show each class with.
    pub palette: Vec<u8>,
}

impl Scene {
    pub fn load() -> Result<Self, Box<dyn Error>> {
        let (photo, pixels) = decode(PHOTO, ColorType::Rgb)?;
        let (indexed, mask) = decode(MASK, ColorType::Indexed)?;
        if photo.size() != indexed.size() {
            return Err("the photograph and its mask differ in size".into());
        }
        if mask.iter().any(|&class| usize::from(class) >= CLASSES.len()) {
            return Err("the mask has an index without a class".into());
        }
        let color = |channel| pixels.iter().skip(channel).step_by(3).map(|&value| f32::from(value) / 255.0).collect();
        Ok(Scene {
            width: photo.width as usize,
            height: photo.height as usize,
            colors: [color(0), color(1), color(2)],
            mask,
            palette: indexed.palette.ok_or("the mask has no palette")?.into_owned(),
        })
    }

    /// Whether training sees a pixel.
    pub fn is_trained(&self, pixel: usize) -> bool {
        let (x, y) = (pixel % self.width, pixel / self.width);
        (x / BLOCK + y / BLOCK).is_multiple_of(2)
    }
}

/// What a PNG says of itself, and its bytes, one for each channel of each pixel.
fn decode(file: &'static [u8], color: ColorType) -> Result<(png::Info<'static>, Vec<u8>), Box<dyn Error>> {
    let mut reader = Decoder::new(Cursor::new(file)).read_info()?;
    let info = reader.info().clone();
    if (info.color_type, info.bit_depth) != (color, BitDepth::Eight) {
        return Err(format!("a picture is not 8-bit {color:?}").into());
    }
    let mut bytes = vec![0; reader.output_buffer_size().ok_or("a picture is too large")?];
    reader.next_frame(&mut bytes)?;
    Ok((info, bytes))
}
