//! The weights of the tasks over time, and how well each task is done.

use std::ops::Range;

use plotters::{coord::Shift, prelude::*};

use crate::{Run, losses::Weighting, network::TASKS, scores::Scores};

type Plotted<T> = Result<T, DrawingAreaErrorKind<std::io::Error>>;
/// A curve: its name, and steps with values.
type Curve<'a> = (&'a str, Vec<(f64, f64)>);
type Score = fn(&Scores) -> f64;

const COLORS: [RGBColor; 3] = [RGBColor(31, 119, 180), RGBColor(214, 96, 32), RGBColor(44, 140, 70)];

/// A panel of weights for each weighting above a panel for each score, as the text of an SVG.
pub fn plot(runs: &[(Weighting, Run)]) -> Plotted<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (1080, 680)).into_drawing_area();
        root.fill(&WHITE)?;
        let root = root.margin(12, 4, 4, 4).titled("Three tasks of one network", ("sans-serif", 24))?;
        let panels = root.split_evenly((2, 3));
        let (above, below) = panels.split_at(3);
        let all = || runs.iter().flat_map(|(_, run)| run.weights.iter().flatten()).map(|weight| weight.log10());
        let range = f64::from(all().fold(-1.0, f32::min).floor())..f64::from(all().fold(1.0, f32::max).ceil());
        for (number, ((weighting, run), area)) in runs.iter().zip(above).enumerate() {
            let of_task =
                |task: usize| (1..).zip(&run.weights).map(move |(step, w)| (step.into(), w[task].log10().into()));
            let curves = TASKS.iter().enumerate().map(|(task, name)| (*name, of_task(task).collect())).collect();
            let panel = Panel {
                axis: &format!("weight, {}", weighting.name()),
                range: range.clone(),
                label: |log| format!("{}", 10_f64.powf(log)),
                // Colours are the same in all three.
                legend: (number == 0).then_some(SeriesLabelPosition::UpperLeft),
            };
            panel.draw(area, curves)?;
        }
        let scores: [(&str, Score, SeriesLabelPosition); 3] = [
            ("held-out IoU of masks", |scores| scores.mask_iou, SeriesLabelPosition::LowerRight),
            ("held-out error of depths", |scores| scores.depth_error, SeriesLabelPosition::UpperRight),
            ("held-out IoU of boxes", |scores| scores.box_iou, SeriesLabelPosition::LowerRight),
        ];
        for ((axis, value, legend), area) in scores.into_iter().zip(below) {
            let of_run =
                |run: &Run| run.scores.iter().map(|(step, scores)| (f64::from(*step), value(scores))).collect();
            let curves: Vec<Curve<'_>> = runs.iter().map(|(weighting, run)| (weighting.name(), of_run(run))).collect();
            let highest = curves.iter().flat_map(|(_, points)| points).map(|point| point.1).fold(0.0, f64::max);
            let panel =
                Panel { axis, range: 0.0..1.05 * highest, label: |value| format!("{value:.1}"), legend: Some(legend) };
            panel.draw(area, curves)?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// The axes of a panel.
struct Panel<'a> {
    axis: &'a str,
    range: Range<f64>,
    /// What stands beside a value.
    label: fn(f64) -> String,
    legend: Option<SeriesLabelPosition>,
}

impl Panel<'_> {
    fn draw(self, area: &DrawingArea<SVGBackend<'_>, Shift>, curves: Vec<Curve<'_>>) -> Plotted<()> {
        let steps = curves.iter().flat_map(|(_, points)| points).map(|point| point.0).fold(1.0, f64::max);
        let mut chart = ChartBuilder::on(area)
            .margin(14)
            .x_label_area_size(38)
            .y_label_area_size(58)
            .build_cartesian_2d(0.0..steps, self.range)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .axis_style(BLACK.mix(0.5))
            .label_style(("sans-serif", 13))
            .x_labels(5)
            .y_labels(7)
            .x_label_formatter(&|step| format!("{step:.0}"))
            .y_label_formatter(&|value| (self.label)(*value))
            .x_desc("step")
            .y_desc(self.axis)
            .draw()?;
        for ((name, points), color) in curves.into_iter().zip(COLORS) {
            let style = color.filled().stroke_width(2);
            chart
                .draw_series(LineSeries::new(points, style))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        let Some(position) = self.legend else { return Ok(()) };
        chart
            .configure_series_labels()
            .position(position)
            .label_font(("sans-serif", 13))
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()
    }
}
