//! Pictures: panels with axes under one title, on a light sheet of their own, which is as legible on dark pages.

use maud::{Markup, html};

use super::{
    axis::Axis,
    contour, surface,
    svg::{self, Anchor, Area, FRAME, GRID, INK, MUTED, PAPER, SMALL},
};

/// The size of a picture's sheet, in pixels. Its height is that of its panels.
const WIDTH: f64 = 960.0;
const PANEL_HEIGHT: f64 = 400.0;

/// Where the panels begin, below the title and what it is about.
const HEAD: f64 = 78.0;

/// What a panel's title and labels take of its share of the sheet.
const ABOVE: f64 = 34.0;
const BELOW: f64 = 62.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 24.0;

/// The height of a line of the legend.
const LEGEND_LINE: f64 = 25.0;

/// The length of a curve's sample in the legend, and the space behind it.
const SAMPLE: f64 = 36.0;
const SAMPLE_GAP: f64 = 8.0;

/// Ticks of an axis at most.
pub const TICKS: usize = 7;

/// Colours and dashes that are told apart by either, so that they can be in grey too.
const STYLES: [(&str, &str); 7] = [
    ("#0b4f9e", ""),
    ("#c8501e", "10 4"),
    ("#11806a", "2.5 3"),
    ("#8a2a8f", "12 3 2.5 3"),
    ("#8a6d00", "5 3"),
    ("#3d4650", "18 4"),
    ("#e86aa6", "8 3 2 3 2 3"),
];

/// What one file shows.
pub struct Picture {
    pub title: &'static str,
    /// What the picture is about: the parameters and what is held fixed.
    pub about: &'static str,
    pub panels: Vec<Panel>,
}

/// A plot with its axes.
pub struct Panel {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub content: Content,
}

/// What is drawn between the axes.
pub enum Content {
    Curves(Vec<Curve>),
    Contours(Field),
    Surface(Field),
}

/// A line with a name.
pub struct Curve {
    pub label: String,
    pub points: Vec<(f64, f64)>,
}

/// A loss over two parameters.
#[derive(Clone)]
pub struct Field {
    /// Its values, a row for each sample of the second parameter.
    pub values: Vec<f64>,
    /// How many samples there are of either parameter, from end to end of its axis.
    pub samples: usize,
    /// The values that have a contour, from low to high.
    pub levels: Vec<f64>,
    pub marks: Vec<Mark>,
}

/// A point of a field with its name.
#[derive(Clone)]
pub struct Mark {
    pub label: &'static str,
    pub at: (f64, f64),
}

impl Picture {
    /// The picture as the text of an SVG file.
    pub fn svg(&self) -> String {
        let legend = self.legend();
        let legend_width = match &legend[..] {
            [] => 0.0,
            labels => {
                let widest = labels.iter().map(|label| svg::width_of(label, SMALL)).fold(0.0, f64::max);
                SAMPLE + SAMPLE_GAP + widest
            }
        };
        let columns = self.panels.len().min(2);
        let rows = self.panels.len().div_ceil(columns);
        let height = HEAD + rows as f64 * PANEL_HEIGHT;
        let share = (WIDTH - legend_width - RIGHT) / columns as f64;
        let areas = (0..self.panels.len()).map(|index| {
            let (left, top) = ((index % columns) as f64 * share, HEAD + (index / columns) as f64 * PANEL_HEIGHT);
            Area {
                left: left + LEFT,
                top: top + ABOVE,
                right: left + share - RIGHT,
                bottom: top + PANEL_HEIGHT - BELOW,
            }
        });
        let markup = html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {height}")) width=(WIDTH)
                height=(height) role="img" font-family="system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif" {
                title { (self.title) }
                desc { (self.about) }
                rect x="0.5" y="0.5" width=(WIDTH - 1.0) height=(height - 1.0) rx="8" fill=(PAPER) stroke=(GRID) {}
                (svg::text((24.0, 36.0), Anchor::Start, 21.0, INK, self.title))
                (svg::text((24.0, 60.0), Anchor::Start, 13.0, MUTED, self.about))
                @for (index, (panel, area)) in self.panels.iter().zip(areas).enumerate() {
                    g { (panel.markup(area, &format!("panel-{index}"), &legend)) }
                }
                (self.legend_markup(&legend, (WIDTH - legend_width - RIGHT, HEAD + ABOVE)))
            }
        };
        markup.into_string() + "\n"
    }

    /// The names of all curves, each once: the place of a name is the curve's style.
    fn legend(&self) -> Vec<&str> {
        let curves = self.panels.iter().filter_map(|panel| match &panel.content {
            Content::Curves(curves) => Some(curves),
            Content::Contours(_) | Content::Surface(_) => None,
        });
        let mut labels = Vec::new();
        for curve in curves.flatten() {
            if !labels.contains(&curve.label.as_str()) {
                labels.push(&curve.label);
            }
        }
        labels
    }

    fn legend_markup(&self, legend: &[&str], (left, top): (f64, f64)) -> Markup {
        html! {
            @for (index, label) in legend.iter().enumerate() {
                @let y = top + 12.0 + index as f64 * LEGEND_LINE;
                @let sample = svg::points([(left, y), (left + SAMPLE, y)]);
                (curve_line(index, &sample))
                (svg::text((left + SAMPLE + SAMPLE_GAP, y + 4.0), Anchor::Start, SMALL, INK, label))
            }
        }
    }
}

impl Panel {
    fn markup(&self, area: Area, id: &str, legend: &[&str]) -> Markup {
        let middle = (area.left + area.right) / 2.0;
        html! {
            (svg::text((middle, area.top - 12.0), Anchor::Middle, 14.0, INK, &self.title))
            @match &self.content {
                Content::Curves(curves) => {
                    (self.frame(area, id))
                    g clip-path=(format!("url(#{id})")) {
                        @for curve in curves {
                            @let style = legend.iter().position(|label| *label == curve.label).unwrap_or(0);
                            g {
                                title { (curve.label) }
                                (curve_line(style, &svg::points(curve.points.iter().map(|&at| self.place(area, at)))))
                            }
                        }
                    }
                }
                Content::Contours(field) => {
                    (self.frame(area, id))
                    (contour::markup(self, field, area))
                }
                Content::Surface(field) => (surface::markup(self, field, area)),
            }
        }
    }

    /// The axes with their ticks and labels, and what the panel is clipped to.
    fn frame(&self, area: Area, id: &str) -> Markup {
        let middle = ((area.left + area.right) / 2.0, (area.top + area.bottom) / 2.0);
        let (width, height) = (svg::px(area.width()), svg::px(area.height()));
        html! {
            clipPath id=(id) { rect x=(svg::px(area.left)) y=(svg::px(area.top)) width=(width) height=(height) {} }
            @for (tick, label) in self.x.ticks(TICKS) {
                @let x = area.point(self.x.at(tick), 0.0).0;
                (svg::line((x, area.top), (x, area.bottom), grid(tick)))
                (svg::text((x, area.bottom + 18.0), Anchor::Middle, SMALL, MUTED, &label))
            }
            @for (tick, label) in self.y.ticks(TICKS) {
                @let y = area.point(0.0, self.y.at(tick)).1;
                (svg::line((area.left, y), (area.right, y), grid(tick)))
                (svg::text((area.left - 8.0, y + 4.0), Anchor::End, SMALL, MUTED, &label))
            }
            rect x=(svg::px(area.left)) y=(svg::px(area.top)) width=(width) height=(height) fill="none"
                stroke=(FRAME) {}
            (svg::text((middle.0, area.bottom + 42.0), Anchor::Middle, 13.0, INK, &self.x.label))
            (svg::upright((area.left - 46.0, middle.1), 13.0, INK, &self.y.label))
        }
    }

    /// Where a point of the plot is on the sheet.
    pub fn place(&self, area: Area, (x, y): (f64, f64)) -> (f64, f64) {
        area.point(self.x.at(x), self.y.at(y))
    }
}

/// The line of the curve with this place in the legend.
fn curve_line(index: usize, points: &str) -> Markup {
    let (colour, dashes) = STYLES[index % STYLES.len()];
    // A curve under another that coincides with it looks out on both sides.
    let width = 3.2 - 0.25 * (index % STYLES.len()) as f64;
    html! {
        polyline points=(points) fill="none" stroke=(colour) stroke-width=(width) stroke-linejoin="round"
            stroke-dasharray=[Some(dashes).filter(|dashes| !dashes.is_empty())] {}
    }
}

/// The colour of a line of the grid; that of zero is darker.
fn grid(tick: f64) -> &'static str {
    if tick == 0.0 { FRAME } else { GRID }
}

/// A colour between dark for 0 and light for 1, through hues that are told apart; in grey its lightness is in order.
pub fn shade(part: f64) -> String {
    const STOPS: [[f64; 3]; 5] =
        [[68.0, 1.0, 84.0], [59.0, 82.0, 139.0], [33.0, 145.0, 140.0], [94.0, 201.0, 98.0], [253.0, 231.0, 37.0]];
    let place = part.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let below = (place as usize).min(STOPS.len() - 2);
    let mixed = |channel: usize| {
        let (low, high) = (STOPS[below][channel], STOPS[below + 1][channel]);
        (low + (place - below as f64) * (high - low)).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", mixed(0), mixed(1), mixed(2))
}
