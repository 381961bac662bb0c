//! Horizontal bars by loss and shape. They are laid out in CSS and drawn in percent, so that they have any width while
//! their text keeps its size.

use maud::{Markup, html};

use super::{axis::percent, breakable};

/// The height of a bar with the space around it, in pixels: that of a line of its values in the style.
const PITCH: usize = 20;

/// The space between the bars of two shapes.
const GAP: usize = 6;

/// The height of a bar.
const THICKNESS: usize = 13;

/// Bars over an axis.
pub struct Chart<'a> {
    pub ticks: Vec<Tick>,
    /// What the figures of each bar are.
    pub columns: [&'static str; 3],
    pub losses: Vec<Loss<'a>>,
}

/// A line across all bars.
pub struct Tick {
    /// The tick's place, from 0 to 1.
    pub at: f64,
    /// The tick's label, which may be empty.
    pub label: String,
    pub kind: TickKind,
}

/// How a tick is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TickKind {
    Grid,
    /// A line like that of [`Grid`](TickKind::Grid), without a label on narrow screens.
    Minor,
    /// What the bars are to be compared with.
    Reference,
    Mean,
}

impl TickKind {
    fn class(self) -> &'static str {
        match self {
            TickKind::Grid => "grid",
            TickKind::Minor => "grid minor",
            TickKind::Reference => "reference",
            TickKind::Mean => "mean",
        }
    }

    /// Whether the bars lie over it.
    fn is_behind(self) -> bool {
        matches!(self, TickKind::Grid | TickKind::Minor)
    }
}

/// The bars of a loss.
pub struct Loss<'a> {
    pub name: &'a str,
    pub shapes: Vec<Shape<'a>>,
}

/// The bars of a loss at a shape.
pub struct Shape<'a> {
    pub shape: &'a [usize],
    pub dtype: &'a str,
    pub origin: &'a str,
    pub bars: Vec<Bar>,
}

/// A bar and its figures.
pub struct Bar {
    /// The bar's start and end; what is not within 0 and 1 is cut off, and what is not finite is not drawn.
    pub span: [f64; 2],
    pub class: String,
    /// The bar's meaning in words.
    pub title: String,
    /// The bar's figures, in columns.
    pub values: Markup,
    /// Anything to be said of the bar besides; may be empty.
    pub mark: Markup,
}

impl Bar {
    /// The bar, with this much space above it.
    fn markup(&self, top: f64) -> Markup {
        let [start, end] = self.span.map(|part| part.clamp(0.0, 1.0));
        let (x, width) = (percent(start.min(end)), percent((end - start).abs()));
        let cut = match self.span[1] {
            end if end > 1.0 => Some(("end", "-4", "»")),
            end if end < 0.0 => Some(("start", "4", "«")),
            _ => None,
        };
        html! {
            @if self.span.iter().all(|part| part.is_finite()) {
                rect.(self.class) x=(x) y=(top) width=(width) height=(THICKNESS) {}
                @if let Some((anchor, dx, sign)) = cut {
                    @let y = top + THICKNESS as f64 / 2.0;
                    text.cut x=(percent(end)) y=(y) dx=(dx) dy="0.3em" text-anchor=(anchor) { (sign) }
                }
            }
        }
    }
}

impl Chart<'_> {
    /// The chart.
    pub fn markup(&self) -> Markup {
        html! {
            div.chart {
                div.axis aria-hidden="true" {
                    div.ticks {
                        @for tick in self.ticks.iter().filter(|tick| !tick.label.is_empty()) {
                            span.(tick.kind.class()) style={ "left:" (percent(tick.at)) } { (tick.label) }
                        }
                    }
                    div.values { p { @for column in self.columns { span { (column) } } } }
                }
                @for loss in &self.losses {
                    div.loss {
                        h4 { (breakable(loss.name)) }
                        div.shapes {
                            @for shape in &loss.shapes { (self.shape(shape)) }
                        }
                    }
                }
            }
        }
    }

    fn shape(&self, shape: &Shape) -> Markup {
        let height = PITCH * shape.bars.len();
        // The middle of the drawing is that of the bars: it is higher where the label beside it is.
        let top = |index: usize| (index * PITCH + (PITCH - THICKNESS) / 2) as f64 - height as f64 / 2.0;
        let titles: Vec<&str> = shape.bars.iter().map(|bar| bar.title.as_str()).collect();
        html! {
            div.shape {
                p.label title=(shape.origin) {
                    span { (format!("{:?}", shape.shape)) " " (shape.dtype) } " "
                    @if !shape.origin.is_empty() { small { (shape.origin) } }
                    @for bar in &shape.bars { (bar.mark) }
                }
                div.bars style={ "min-height:" (height + GAP) "px" } {
                    svg role="img" {
                        title { (titles.join("; ")) }
                        (self.lines(true))
                        svg y="50%" overflow="visible" {
                            @for (index, bar) in shape.bars.iter().enumerate() {
                                (bar.markup(top(index)))
                            }
                        }
                        (self.lines(false))
                    }
                }
                div.values { @for bar in &shape.bars { p { (bar.values) } } }
            }
        }
    }

    /// The lines behind the bars, or those before them.
    fn lines(&self, behind: bool) -> Markup {
        html! {
            @for tick in self.ticks.iter().filter(|tick| tick.kind.is_behind() == behind) {
                @let x = percent(tick.at);
                line.(tick.kind.class()) x1=(x) x2=(x) y1="0" y2="100%" {}
            }
        }
    }
}
