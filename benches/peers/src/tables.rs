//! Measurements of peers as tables.

use std::fmt;

use clap::ValueEnum;
use wgloss::bench::{Comparison, Peer, PeerMeasurement, Report};

use crate::{find_loss, kinds::Kind};

/// The tables of reports: one for each peer.
pub struct Tables<'a>(pub &'a [Report]);

impl fmt::Display for Tables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for peer in Comparison::new(self.0).peers {
            let Report { adapter, driver, wgloss, date, .. } = peer.report;
            writeln!(f, "{} on {}", peer.peer, peer.device)?;
            writeln!(f, "beside wgloss {wgloss} on {adapter}, driver {driver}; {date}")?;
            writeln!(f, "median times with gradients; above 1× wgloss is faster\n")?;
            rows(f, &peer.measurements)?;
            means(f, peer)?;
        }
        Ok(())
    }
}

fn rows(f: &mut fmt::Formatter<'_>, measurements: &[&PeerMeasurement]) -> fmt::Result {
    let width = measurements.iter().map(|m| m.loss.len()).max().unwrap_or(0);
    writeln!(
        f,
        "{:<width$}  {:<14} {:<5} {:>10} {:>10} {:>7} {:>8}",
        "loss", "shape", "dtype", "wgloss ms", "peer ms", "spread", "ratio"
    )?;
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "–".to_string());
    for m in measurements {
        writeln!(
            f,
            "{:<width$}  {:<14} {:<5} {:>10} {:>10.2} {:>7} {:>8}{}",
            m.loss,
            shape_text(&m.shape),
            m.dtype,
            or_none(m.wgloss_median_ms.map(|ms| format!("{ms:.2}"))),
            m.median_ms,
            or_none(m.spread.map(|spread| format!("{spread:.2}"))),
            or_none(m.ratio.map(|ratio| format!("{ratio:.2}×"))),
            if m.is_right { "" } else { "  the peer's result is wrong" },
        )?;
    }
    writeln!(f)
}

/// The geometric means of what the peer gets right: of the losses of each kind, and of all.
fn means(f: &mut fmt::Formatter<'_>, peer: Peer<'_>) -> fmt::Result {
    let kind_of = |m: &PeerMeasurement| find_loss(&m.loss).ok().map(|loss| Kind::of(&loss));
    let of_kind = |&kind: &Kind| {
        (kind.to_string(), peer.measurements.iter().copied().filter(|m| kind_of(m) == Some(kind)).collect())
    };
    let groups: Vec<(String, Vec<_>)> = Kind::value_variants().iter().map(of_kind).collect();
    for (name, measurements) in groups.into_iter().chain([("all".to_string(), peer.measurements)]) {
        let group = Peer { peer: peer.peer, device: peer.device, report: peer.report, measurements };
        if let Some((mean, count)) = group.geometric_mean() {
            let wrong = match group.wrong() {
                0 => String::new(),
                wrong => format!(", without {wrong} wrong ones"),
            };
            writeln!(f, "geometric mean, {name:<11} {mean:>6.2}× of {count}{wrong}")?;
        }
    }
    writeln!(f)
}

/// `512×32000`.
pub fn shape_text(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}
