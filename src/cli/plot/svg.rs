//! What drawings are made of. All colours are attributes, so that viewers without style sheets show them too.

use maud::{Markup, html};

pub const INK: &str = "#1a2129";
pub const MUTED: &str = "#55606c";
pub const GRID: &str = "#e1e6eb";
pub const FRAME: &str = "#8a949e";
pub const PAPER: &str = "#ffffff";

/// The size of the smallest text, in pixels.
pub const SMALL: f64 = 12.0;

/// A rectangle, in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Area {
    /// The point at these parts of the way from the left and from the bottom.
    pub fn point(self, x: f64, y: f64) -> (f64, f64) {
        (self.left + x * (self.right - self.left), self.bottom - y * (self.bottom - self.top))
    }

    pub fn width(self) -> f64 {
        self.right - self.left
    }

    pub fn height(self) -> f64 {
        self.bottom - self.top
    }
}

/// Where a text lies beside its point.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A text whose base line goes through a point.
pub fn text((x, y): (f64, f64), anchor: Anchor, size: f64, fill: &str, content: &str) -> Markup {
    html! { text x=(px(x)) y=(px(y)) text-anchor=(anchor.name()) font-size=(size) fill=(fill) { (content) } }
}

/// A text that is read from bottom to top, its middle on a point.
pub fn upright((x, y): (f64, f64), size: f64, fill: &str, content: &str) -> Markup {
    let turn = format!("rotate(-90 {} {})", px(x), px(y));
    html! {
        text x=(px(x)) y=(px(y)) text-anchor="middle" font-size=(size) fill=(fill) transform=(turn) { (content) }
    }
}

pub fn line(from: (f64, f64), to: (f64, f64), stroke: &str) -> Markup {
    html! { line x1=(px(from.0)) y1=(px(from.1)) x2=(px(to.0)) y2=(px(to.1)) stroke=(stroke) {} }
}

/// Points as a list of coordinates.
pub fn points(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let points: Vec<String> = points.into_iter().map(|(x, y)| format!("{},{}", px(x), px(y))).collect();
    points.join(" ")
}

/// A coordinate to a hundredth of a pixel.
pub fn px(x: f64) -> String {
    let text = format!("{x:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// How wide a text is at most in the fonts that are common.
pub fn width_of(text: &str, size: f64) -> f64 {
    0.62 * size * text.chars().count() as f64
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }
}
