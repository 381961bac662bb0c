//! Synthetic scenes: a disk or a square in front of a wall, drawn so that what is near is large and bright.

use fastrand::Rng;

/// Pixels of a row and of a column.
pub const WIDTH: usize = 16;
pub const PIXELS: usize = WIDTH * WIDTH;
/// What a pixel shows: the wall, a disk or a square.
pub const CLASSES: usize = 3;

/// Scenes one after the other, with what there is to be told of each.
#[derive(Default)]
pub struct Scenes {
    pub images: Vec<f32>,
    /// The class of each pixel.
    pub classes: Vec<i32>,
    /// The distance of what each pixel shows, from 0, near, to 1, far.
    pub depths: Vec<f32>,
    /// Around the shape: x1 y1 x2 y2 in pixels.
    pub boxes: Vec<f32>,
}

impl Scenes {
    pub fn draw(count: usize, rng: &mut Rng) -> Self {
        let mut scenes = Scenes::default();
        (0..count).for_each(|_| scenes.add(rng));
        scenes
    }

    /// Adds a scene: the wall is tilted, so that its distance and its shade change from left to right.
    fn add(&mut self, rng: &mut Rng) {
        let depth = 0.1 + 0.6 * rng.f32();
        let radius = 5.0 - 3.0 * depth;
        let centre = [(); 2].map(|()| radius + rng.f32() * (WIDTH as f32 - 2.0 * radius));
        let is_disk = rng.bool();
        let tilt = 0.15 * (2.0 * rng.f32() - 1.0);
        for pixel in 0..PIXELS {
            let place = [pixel % WIDTH, pixel / WIDTH].map(|place| place as f32 + 0.5);
            let [x, y] = [place[0] - centre[0], place[1] - centre[1]];
            let is_inside = if is_disk { x * x + y * y <= radius * radius } else { x.abs().max(y.abs()) <= radius };
            let wall = 0.85 + tilt * (2.0 * place[0] / WIDTH as f32 - 1.0);
            let distance = if is_inside { depth } else { wall };
            self.classes.push(match (is_inside, is_disk) {
                (false, _) => 0,
                (true, true) => 1,
                (true, false) => 2,
            });
            self.depths.push(distance);
            self.images.push(1.0 - distance + 0.1 * (2.0 * rng.f32() - 1.0));
        }
        let [x, y] = centre;
        self.boxes.extend([x - radius, y - radius, x + radius, y + radius]);
    }
}
