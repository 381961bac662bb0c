//! Accuracy over the epochs, and what easy samples first gain, with bands for how sure the means are.

use std::ops::Range;

use plotters::{coord::Shift, prelude::*};

use crate::Runs;

type Plotted<T> = Result<T, DrawingAreaErrorKind<std::io::Error>>;
/// A curve: its name and colour, and epoch by epoch a mean with its standard error.
type Curve<'a> = (&'a str, RGBColor, Vec<(f64, f64)>);

const COLORS: [RGBColor; 3] = [RGBColor(90, 90, 90), RGBColor(31, 119, 180), RGBColor(214, 96, 32)];

/// The accuracies of each kind of training beside the gain of the second over the first, as the text of an SVG.
pub fn plot(kinds: &[Runs]) -> Plotted<String> {
    let epochs = kinds.iter().flat_map(|runs| &runs.accuracy).map(Vec::len).max().unwrap_or(0);
    let of_kind = |(runs, color): (&Runs, RGBColor)| -> Curve<'static> {
        (runs.order.name(), color, (0..epochs).map(|epoch| runs.at(epoch)).collect())
    };
    let accuracies = kinds.iter().zip(COLORS).map(of_kind).collect();
    let gain = (0..epochs).map(|epoch| kinds[1].gain(&kinds[0], epoch)).collect();
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (1080, 460)).into_drawing_area();
        root.fill(&WHITE)?;
        let root = root.margin(12, 4, 4, 4).titled("Digits by their difficulty", ("sans-serif", 24))?;
        let panels = root.split_evenly((1, 2));
        draw(&panels[0], "held-out accuracy (%), mean ± 2 standard errors", accuracies)?;
        let gain = (kinds[1].order.name(), COLORS[1], gain);
        draw(&panels[1], "gain over all from the start (points), ± 2 standard errors", vec![gain])?;
        root.present()?;
    }
    Ok(svg)
}

fn draw(area: &DrawingArea<SVGBackend<'_>, Shift>, axis: &str, curves: Vec<Curve<'_>>) -> Plotted<()> {
    let epochs = curves.iter().map(|(_, _, points)| points.len()).max().unwrap_or(0);
    let mut chart = ChartBuilder::on(area)
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(1..epochs.max(2), range(&curves))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .axis_style(BLACK.mix(0.5))
        .label_style(("sans-serif", 14))
        .x_desc("epoch")
        .y_desc(axis)
        .draw()?;
    for (name, color, points) in curves {
        let points: Vec<(usize, (f64, f64))> = (1..).zip(points).collect();
        let upper = points.iter().map(|&(epoch, (mean, error))| (epoch, mean + 2.0 * error));
        let lower = points.iter().rev().map(|&(epoch, (mean, error))| (epoch, mean - 2.0 * error));
        chart.draw_series([Polygon::new(upper.chain(lower).collect::<Vec<_>>(), color.mix(0.15))])?;
        let style = color.filled().stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.into_iter().map(|(epoch, (mean, _))| (epoch, mean)), style))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .label_font(("sans-serif", 14))
        .background_style(WHITE)
        .border_style(BLACK.mix(0.3))
        .draw()
}

/// From below all bands to above them.
fn range(curves: &[Curve<'_>]) -> Range<f64> {
    let ends = || {
        curves
            .iter()
            .flat_map(|(_, _, points)| points)
            .flat_map(|(mean, error)| [mean - 2.0 * error, mean + 2.0 * error])
    };
    ends().fold(f64::INFINITY, f64::min).floor()..ends().fold(f64::NEG_INFINITY, f64::max).ceil()
}
