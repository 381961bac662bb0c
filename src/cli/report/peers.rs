//! Other libraries beside wgloss.

use maud::{Markup, html};
use wgloss::bench::{Peer, PeerMeasurement};

use super::{
    axis::{Logarithmic, is_drawable},
    catalogue,
    chart::{Bar, Chart, Loss, Shape, Tick, TickKind},
    numbers,
};

/// The axis goes this far to either side at least, and at most.
const LEAST_RATIO: f64 = 2.0;
const GREATEST_RATIO: f64 = 1000.0;

/// Where an axis of few decades has ticks, and one of many.
const FINE: [f64; 3] = [1.0, 2.0, 5.0];
const COARSE: [f64; 1] = [1.0];

/// The section, with a figure for each library and device.
pub fn section(peers: &[Peer]) -> Markup {
    html! {
        @if let Some(axis) = axis(peers) {
            section {
                h2 { "Other libraries" }
                p {
                    "The time of another library over that of wgloss, each from the host's call until the device is \
                     done, measured in turns on the same machine. Right of 1 wgloss is faster, left of it the other. \
                     A hollow bar is a wrong result: the library's loss or gradient is not that of the f64 reference."
                }
                @for peer in peers {
                    figure {
                        figcaption {
                            h3 { (peer.peer) }
                            p { "on " (peer.device) ", beside wgloss " (peer.report.wgloss) ", " (peer.report.date) }
                            p { (summary(peer)) }
                        }
                        (chart(peer, axis).markup())
                    }
                }
            }
        }
    }
}

/// The axis of all peers, so that they can be compared; `None` if there are none.
fn axis(peers: &[Peer]) -> Option<Logarithmic> {
    if peers.is_empty() {
        return None;
    }
    let measurements = peers.iter().flat_map(|peer| &peer.measurements);
    let ratios = measurements.filter_map(|measurement| measurement.ratio).filter(|&ratio| is_drawable(ratio));
    let ratios = ratios.map(|ratio| ratio.clamp(GREATEST_RATIO.recip(), GREATEST_RATIO));
    Logarithmic::around(ratios.chain([LEAST_RATIO.recip(), LEAST_RATIO])).map(|axis| axis.padded(0.02))
}

/// How the library fares on the whole.
fn summary(peer: &Peer) -> Markup {
    html! {
        @match peer.geometric_mean() {
            Some((mean, count)) => {
                "Geometric mean of " (count) ": " b { (numbers::factor(mean)) } " the time of wgloss (dashed line)."
            }
            None => "Nothing of it can be compared.",
        }
        @if peer.wrong() > 0 { " " span.mark.regression { (peer.wrong()) " wrong" } " left out of the mean." }
    }
}

fn chart<'a>(peer: &Peer<'a>, axis: Logarithmic) -> Chart<'a> {
    let places: &[f64] = if axis.decades(usize::MAX).count() > 3 { &COARSE } else { &FINE };
    let ticks = (-3..=3).flat_map(|exponent| places.iter().map(move |place| place * 10f64.powi(exponent)));
    let ticks = ticks.filter(|&x| (0.0..=1.0).contains(&axis.at(x))).map(|x| {
        let (label, kind) = match x {
            1.0 => ("1 = wgloss".to_string(), TickKind::Reference),
            _ if x.log10().fract() == 0.0 => (x.to_string(), TickKind::Grid),
            _ => (x.to_string(), TickKind::Minor),
        };
        Tick { at: axis.at(x), label, kind }
    });
    let mean = peer.geometric_mean().map(|(mean, _)| axis.at(mean).clamp(0.0, 1.0));
    let mean = mean.map(|at| Tick { at, label: String::new(), kind: TickKind::Mean });
    let losses = catalogue::by_loss(peer.measurements.iter().copied(), |measurement| &measurement.loss);
    let loss = |measurements: Vec<&'a PeerMeasurement>| Loss {
        name: &measurements[0].loss,
        shapes: measurements.into_iter().map(|measurement| shape(measurement, axis)).collect(),
    };
    let losses = losses.into_iter().map(loss).collect();
    Chart { ticks: ticks.chain(mean).collect(), columns: ["ratio", "its time", "wgloss"], losses }
}

fn shape(measurement: &PeerMeasurement, axis: Logarithmic) -> Shape<'_> {
    let PeerMeasurement { shape, dtype, is_right, .. } = measurement;
    let ratio = measurement.ratio.unwrap_or(f64::NAN);
    let (side, factor) = (if ratio < 1.0 { "slower" } else { "faster" }, numbers::factor(ratio));
    let times = [measurement.median_ms, measurement.wgloss_median_ms.unwrap_or(f64::NAN)].map(numbers::time);
    let wrong = if *is_right { "" } else { ", wrong result" };
    let bar = Bar {
        span: [axis.at(1.0), axis.at(ratio)],
        class: if *is_right { side.to_string() } else { format!("{side} wrong") },
        title: format!(
            "{} {shape:?}: {factor} the time of wgloss, {} over {}{wrong}",
            measurement.loss, times[0], times[1]
        ),
        values: html! {
            b { (factor) } span { (times[0]) } span { (times[1]) }
        },
        mark: html! { @if !is_right { span.note { span.mark.regression { "wrong" } } } },
    };
    Shape { shape, dtype, origin: "", bars: vec![bar] }
}
