//! wgloss beside Burn, loss by loss.

use std::{error::Error, path::Path};

use wgloss::{DType, Gpu, Loss};

use crate::{
    burn_losses::{BurnInputs, LOSSES},
    burn_step, find_loss, inputs,
    report::{Head, Measurement, Report, locked_version, shape_text},
    shapes_of,
    step::{Case, Outcome},
    wgloss_step::{self, WglossStep},
};

/// Times all losses of Burn beside wgloss's, and writes what came of it. Fails if a result of wgloss is wrong.
pub fn compare(gpu: &Gpu, path: &Path) -> Result<(), Box<dyn Error>> {
    let device = &burn_step::open_device(gpu)?;
    let compiler = if cfg!(feature = "vulkan") { "vulkan" } else { "wgpu" };
    let peer = format!("burn {} {compiler}", locked_version("burn"));
    let mut cases = Vec::new();
    for &(name, by_burn) in LOSSES {
        let loss = find_loss(name)?;
        cases.extend(shapes_of(&loss).iter().map(|&shape| (name, by_burn, loss.clone(), shape)));
    }

    let mut report = Report { head: Head::new(gpu), peers: Vec::new() };
    let mut is_right = true;
    for (index, (name, by_burn, loss, shape)) in cases.iter().enumerate() {
        let inputs = &inputs::draw(loss, shape, DType::F32)?;
        let case = Case {
            wgloss: Box::new(WglossStep::new(gpu, loss, inputs)?),
            peer: by_burn(&BurnInputs { device, inputs, first: loss.spec().inputs[0].name }),
            truth: wgloss_step::truth(loss, inputs)?,
        };
        let Outcome { wgloss, peer: burn, wgloss_error, peer_error } = case.run();
        let ratio = burn.median_ms() / wgloss.median_ms();
        eprintln!("{}/{} {name} {}: {ratio:.2}×", index + 1, cases.len(), shape_text(shape));
        for (library, error) in [("wgloss", &wgloss_error), ("Burn", &peer_error)] {
            if !error.is_rounding() {
                eprintln!("  {library}'s result is wrong: {error}");
            }
        }
        is_right &= wgloss_error.is_rounding();
        report.peers.push(Measurement {
            peer: peer.clone(),
            device: gpu.adapter_id(),
            loss: name.to_string(),
            shape: shape.to_vec(),
            dtype: "f32".to_string(),
            median_ms: burn.median_ms(),
            spread: burn.spread(),
            wgloss_median_ms: Some(wgloss.median_ms()),
            wgloss_spread: Some(wgloss.spread()),
            ratio: Some(ratio),
            is_right: peer_error.is_rounding(),
        });
    }
    report.write(path)?;
    if is_right { Ok(()) } else { Err("results of wgloss are wrong".into()) }
}
