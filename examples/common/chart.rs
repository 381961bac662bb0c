//! Charts of curves, bands and points, beside and below each other, as the text of an SVG.
//!
//! Examples that draw include this file by its path: the command, which shares the rest, has no library for it.

#![allow(dead_code, reason = "none of them uses all of it")]

use std::ops::Range;

use plotters::{coord::Shift, element::DashedPathElement, prelude::*};

pub type Drawn<T> = Result<T, DrawingAreaErrorKind<std::io::Error>>;

/// Colours that differ in lightness too, so that they can be told apart in grey; the first four by Paul Tol.
pub const COLORS: [RGBColor; 6] = [
    RGBColor(0, 68, 136),
    RGBColor(221, 170, 51),
    RGBColor(187, 85, 102),
    RGBColor(0, 0, 0),
    RGBColor(136, 204, 238),
    RGBColor(110, 110, 110),
];

/// Width and height of a panel, and the height of the title above all of them.
const PANEL: [u32; 2] = [480, 400];
const TITLE: u32 = 40;

const FONT: (&str, u32) = ("sans-serif", 14);

/// A chart with its axes.
pub struct Panel {
    pub x: Axis,
    pub y: Axis,
    /// Those behind come first.
    pub series: Vec<Series>,
    /// Where the legend is, if there is one.
    pub legend: Option<SeriesLabelPosition>,
}

pub struct Axis {
    pub label: String,
    pub range: Range<f64>,
    /// How a value is written beside the axis.
    pub text: fn(f64) -> String,
}

impl Axis {
    pub fn new(label: impl Into<String>, range: Range<f64>) -> Self {
        Axis { label: label.into(), range, text: |value| value.to_string() }
    }

    pub fn with_text(self, text: fn(f64) -> String) -> Self {
        Axis { text, ..self }
    }
}

/// Points in the order of x.
pub struct Series {
    /// The name in the legend, if it is to be there.
    pub label: Option<String>,
    pub color: RGBColor,
    pub shape: Shape,
    pub points: Vec<(f64, f64)>,
}

#[derive(Clone, Copy)]
pub enum Shape {
    Line,
    /// A line with a dot at each point.
    Dotted,
    Dashed,
    Points,
    /// What the points go round, lightly.
    Band,
}

/// Panels, so many in a row.
pub fn draw(title: &str, columns: usize, panels: &[Panel]) -> Drawn<String> {
    let mut svg = String::new();
    let rows = panels.len().div_ceil(columns);
    {
        let size = (PANEL[0] * columns as u32, PANEL[1] * rows as u32 + TITLE);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        let area = root.margin(12, 4, 4, 4).titled(title, ("sans-serif", 24))?;
        for (panel, area) in panels.iter().zip(area.split_evenly((rows, columns))) {
            panel.draw(&area)?;
        }
        root.present()?;
    }
    Ok(svg)
}

impl Panel {
    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Drawn<()> {
        let mut builder = ChartBuilder::on(area);
        let builder = builder.margin(16).x_label_area_size(40).y_label_area_size(52);
        let mut chart = builder.build_cartesian_2d(self.x.range.clone(), self.y.range.clone())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .axis_style(BLACK.mix(0.5))
            .label_style(FONT)
            .x_label_formatter(&|&x| (self.x.text)(x))
            .y_label_formatter(&|&y| (self.y.text)(y))
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .draw()?;
        for Series { label, color, shape, points } in &self.series {
            let style = color.filled().stroke_width(2);
            let points = points.iter().copied();
            let drawn = match shape {
                Shape::Line => chart.draw_series(LineSeries::new(points, style)),
                Shape::Dotted => chart.draw_series(LineSeries::new(points, style).point_size(2)),
                Shape::Dashed => chart.draw_series(DashedLineSeries::new(points, 8, 4, style)),
                Shape::Points => chart.draw_series(points.map(|point| Circle::new(point, 2, style))),
                Shape::Band => chart.draw_series([Polygon::new(points.collect::<Vec<_>>(), color.mix(0.15))]),
            };
            let (series, shape) = (drawn?, *shape);
            let Some(label) = label else { continue };
            series.label(label).legend(move |(x, y)| match shape {
                Shape::Points => Circle::new((x + 10, y), 2, style).into_dyn(),
                Shape::Dashed => DashedPathElement::new([(x, y), (x + 20, y)], 8, 4, style).into_dyn(),
                Shape::Line | Shape::Dotted | Shape::Band => PathElement::new([(x, y), (x + 20, y)], style).into_dyn(),
            });
        }
        let Some(legend) = self.legend.clone() else { return Ok(()) };
        chart
            .configure_series_labels()
            .position(legend)
            .label_font(FONT)
            .background_style(WHITE)
            .border_style(BLACK.mix(0.3))
            .draw()
    }
}
