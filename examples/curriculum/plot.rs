//! Accuracy over the epochs, and what easy samples first gain, with bands for how sure the means are.

use plotters::{prelude::SeriesLabelPosition, style::RGBColor};

use crate::{
    Runs,
    chart::{self, Axis, COLORS, Panel, Series, Shape},
};

/// The accuracies of each kind of training beside the gain of the second over the first, as the text of an SVG.
pub fn plot(kinds: &[Runs]) -> chart::Drawn<String> {
    let epochs = kinds.iter().flat_map(|runs| &runs.accuracy).map(Vec::len).max().unwrap_or(0);
    let of_kind = |(runs, color): (&Runs, RGBColor)| {
        with_band(runs.order.name(), color, &(0..epochs).map(|epoch| runs.at(epoch)).collect::<Vec<_>>())
    };
    let accuracies = kinds.iter().zip(COLORS).flat_map(of_kind).collect();
    let gain: Vec<(f64, f64)> = (0..epochs).map(|epoch| kinds[1].gain(&kinds[0], epoch)).collect();
    let gain = with_band(kinds[1].order.name(), COLORS[1], &gain);
    let panels = [
        panel("held-out accuracy (%), mean ± 2 standard errors", epochs, accuracies),
        panel("gain over all from the start (points), ± 2 standard errors", epochs, gain),
    ];
    chart::draw("Digits by their difficulty", 2, &panels)
}

/// A curve and, behind it, the band of two standard errors around it: epoch by epoch a mean with its error.
fn with_band(name: &str, color: RGBColor, points: &[(f64, f64)]) -> Vec<Series> {
    let at = |errors: f64| (1..).zip(points).map(move |(epoch, (mean, error))| (epoch.into(), mean + errors * error));
    let lower: Vec<(f64, f64)> = at(-2.0).collect();
    let band = at(2.0).chain(lower.into_iter().rev()).collect();
    let mean = at(0.0).collect();
    vec![
        Series { label: None, color, shape: Shape::Band, points: band },
        Series { label: Some(name.to_string()), color, shape: Shape::Line, points: mean },
    ]
}

fn panel(label: &str, epochs: usize, series: Vec<Series>) -> Panel {
    let values = || series.iter().flat_map(|series| &series.points).map(|point| point.1);
    let range = values().fold(f64::INFINITY, f64::min).floor()..values().fold(f64::NEG_INFINITY, f64::max).ceil();
    let x = Axis::new("epoch", 1.0..epochs.max(2) as f64).with_text(|epoch| format!("{epoch:.0}"));
    Panel { x, y: Axis::new(label, range), series, legend: Some(SeriesLabelPosition::LowerRight) }
}
