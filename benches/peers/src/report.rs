//! What was measured, as a file and as tables.

use std::{error::Error, fmt, fs, path::Path};

use burn::tensor::wgpu::wgpu::DeviceType;
use serde::{Deserialize, Serialize};
use wgloss::{Gpu, Loss, spec::Driver};

use crate::find_loss;

/// The measurements of peers on one machine.
#[derive(Serialize, Deserialize)]
pub struct Report {
    #[serde(flatten)]
    pub head: Head,
    pub peers: Vec<Measurement>,
}

/// What wgloss ran on, and when.
#[derive(Serialize, Deserialize)]
pub struct Head {
    version: u32,
    adapter: String,
    driver: String,
    kind: String,
    wgloss: String,
    /// In UTC.
    date: String,
    /// What times are: from a host's call until the device is done, always.
    clock: String,
    /// The speed of the adapter's memory, which only wgloss's own benchmark measures.
    copy_gb_per_s: Option<f64>,
}

impl Head {
    pub fn new(gpu: &Gpu) -> Self {
        let info = gpu.info();
        let kind = match info.device_type {
            DeviceType::DiscreteGpu => "discrete GPU",
            DeviceType::IntegratedGpu => "integrated GPU",
            DeviceType::VirtualGpu => "virtual GPU",
            DeviceType::Cpu => "CPU",
            DeviceType::Other => "other",
        };
        Head {
            version: 1,
            adapter: gpu.adapter_id(),
            driver: format!("{} {}", info.driver, info.driver_info),
            kind: kind.to_string(),
            wgloss: locked_version("wgloss").to_string(),
            date: time::OffsetDateTime::now_utc().date().to_string(),
            clock: "submit_to_done".to_string(),
            copy_gb_per_s: None,
        }
    }
}

/// One loss of a peer at one shape.
#[derive(Serialize, Deserialize)]
pub struct Measurement {
    pub peer: String,
    /// What the peer ran on.
    pub device: String,
    /// By wgloss's name, and parameters that are not as by default.
    pub loss: String,
    pub shape: Vec<usize>,
    pub dtype: String,
    pub median_ms: f64,
    /// The distance between the quartiles, relative to the median.
    pub spread: f64,
    pub wgloss_median_ms: Option<f64>,
    pub wgloss_spread: Option<f64>,
    /// The peer's time by wgloss's: above 1 wgloss is faster.
    pub ratio: Option<f64>,
    /// Whether the peer's loss and gradient are those of a computation in f64, to rounding.
    pub is_right: bool,
}

impl Measurement {
    fn is_elementwise(&self) -> bool {
        find_loss(&self.loss).is_ok_and(|loss| matches!(loss.spec().driver, Driver::Elementwise))
    }
}

impl Report {
    pub fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        Ok(fs::write(path, format!("{}\n", serde_json::to_string_pretty(self)?))?)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { adapter, driver, wgloss, date, .. } = &self.head;
        writeln!(f, "wgloss {wgloss} on {adapter}, driver {driver}; {date}")?;
        let mut peers: Vec<(&str, &str)> = Vec::new();
        for Measurement { peer, device, .. } in &self.peers {
            if !peers.contains(&(peer, device)) {
                peers.push((peer, device));
            }
        }
        for (peer, device) in peers {
            let measured: Vec<_> = self.peers.iter().filter(|m| m.peer == peer && m.device == device).collect();
            writeln!(f, "\n{peer} on {device}; median ms, with gradient; above 1× wgloss is faster\n")?;
            table(f, &measured)?;
        }
        Ok(())
    }
}

fn table(f: &mut fmt::Formatter<'_>, measured: &[&Measurement]) -> fmt::Result {
    let width = measured.iter().map(|m| m.loss.len()).max().unwrap_or(0);
    writeln!(
        f,
        "{:<width$}  {:<14} {:<5} {:>9} {:>7} {:>9} {:>7} {:>8}",
        "loss", "shape", "dtype", "wgloss", "spread", "peer", "spread", "ratio"
    )?;
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "–".to_string());
    for m in measured {
        writeln!(
            f,
            "{:<width$}  {:<14} {:<5} {:>9} {:>7} {:>9.2} {:>7.2} {:>8}{}",
            m.loss,
            shape_text(&m.shape),
            m.dtype,
            or_none(m.wgloss_median_ms.map(|ms| format!("{ms:.2}"))),
            or_none(m.wgloss_spread.map(|spread| format!("{spread:.2}"))),
            m.median_ms,
            m.spread,
            or_none(m.ratio.map(|ratio| format!("{ratio:.2}×"))),
            if m.is_right { "" } else { "  the peer's result is wrong" },
        )?;
    }
    writeln!(f)?;
    let (elementwise, rows): (Vec<_>, Vec<_>) = measured.iter().partition(|m| m.is_elementwise());
    for (name, group) in [("elementwise", &elementwise[..]), ("rows", &rows), ("all", measured)] {
        let ratios: Vec<f64> = group.iter().filter_map(|m| m.ratio).collect();
        if !ratios.is_empty() {
            writeln!(f, "geometric mean of {:>3} {name:<11} {:>6.2}×", ratios.len(), geometric_mean(&ratios))?;
        }
    }
    Ok(())
}

fn geometric_mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp()
}

/// `512×32000`.
pub fn shape_text(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}

/// The version of a package that this program was built with.
pub fn locked_version(package: &str) -> &'static str {
    let (_, entry) = include_str!("../Cargo.lock")
        .split_once(&format!("name = \"{package}\"\nversion = \""))
        .expect("Cargo locks every dependency");
    entry.split('"').next().expect("a version is quoted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_a_ratio_and_its_inverse_is_1() {
        assert!((geometric_mean(&[8.0, 0.125]) - 1.0).abs() < 1e-12);
        assert!((geometric_mean(&[2.0, 8.0]) - 4.0).abs() < 1e-12);
    }
}
