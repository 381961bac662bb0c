//! The weights of the tasks over time, and how well each task is done.

use plotters::prelude::SeriesLabelPosition;

use crate::{
    Run,
    chart::{self, Axis, COLORS, Panel, Series, Shape},
    losses::Weighting,
    network::TASKS,
    scores::Scores,
};

type Score = fn(&Scores) -> f64;

/// A panel of weights for each weighting above a panel for each score, as the text of an SVG.
pub fn plot(runs: &[(Weighting, Run)]) -> chart::Drawn<String> {
    let all = || runs.iter().flat_map(|(_, run)| run.weights.iter().flatten()).map(|weight| weight.log10());
    let range = f64::from(all().fold(-1.0, f32::min).floor())..f64::from(all().fold(1.0, f32::max).ceil());
    let steps = runs.iter().map(|(_, run)| run.weights.len()).max().unwrap_or(1) as f64;
    let x = || Axis::new("step", 0.0..steps).with_text(|step| format!("{step:.0}"));
    let mut panels = Vec::new();
    for (number, (weighting, run)) in runs.iter().enumerate() {
        let of_task = |task: usize| {
            let weights = (1..).zip(&run.weights);
            weights.map(move |(step, w)| (step.into(), w[task].log10().into())).collect::<Vec<(f64, f64)>>()
        };
        let y = Axis::new(format!("weight, {}", weighting.name()), range.clone());
        panels.push(Panel {
            x: x(),
            y: y.with_text(power_of_ten),
            series: curves(TASKS.iter().enumerate().map(|(task, name)| (*name, of_task(task)))),
            // Colours are the same in all three.
            legend: (number == 0).then_some(SeriesLabelPosition::UpperLeft),
        });
    }
    let scores: [(&str, Score, SeriesLabelPosition); 3] = [
        ("held-out IoU of masks", |scores| scores.mask_iou, SeriesLabelPosition::LowerRight),
        ("held-out error of depths", |scores| scores.depth_error, SeriesLabelPosition::UpperRight),
        ("held-out IoU of boxes", |scores| scores.box_iou, SeriesLabelPosition::LowerRight),
    ];
    for (label, value, legend) in scores {
        let of_run =
            |run: &Run| run.scores.iter().map(|(step, scores)| (f64::from(*step), value(scores))).collect::<Vec<_>>();
        let series = curves(runs.iter().map(|(weighting, run)| (weighting.name(), of_run(run))));
        let highest = series.iter().flat_map(|series| &series.points).map(|point| point.1).fold(0.0, f64::max);
        let y = Axis::new(label, 0.0..1.05 * highest).with_text(|value| format!("{value:.1}"));
        panels.push(Panel { x: x(), y, series, legend: Some(legend) });
    }
    chart::draw("Three tasks of one network", 3, &panels)
}

fn curves<'a>(curves: impl Iterator<Item = (&'a str, Vec<(f64, f64)>)>) -> Vec<Series> {
    let series = curves.zip(COLORS);
    series
        .map(|((name, points), color)| Series { label: Some(name.to_string()), color, shape: Shape::Line, points })
        .collect()
}

/// The weight of this logarithm, where it is a plain one.
fn power_of_ten(log: f64) -> String {
    if log.fract() == 0.0 { 10_f64.powf(log).to_string() } else { String::new() }
}
