//! wgloss beside Burn, loss by loss.

mod batch;
mod boxes;
mod case;
mod generative;
mod inputs;
mod losses;
mod regions;
mod step;
mod truth;

use std::{error::Error, fs, path::PathBuf};

use wgloss::{
    DType, Gpu, Loss,
    bench::{ClockKind, PeerMeasurement, Report},
};

use self::{
    case::{Case, Outcome},
    inputs::BurnInputs,
};
use crate::{find_loss, inputs::draw, kinds::Kind, tables::shape_text, wgloss_step::WglossStep};

/// What to time.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Part of an adapter's name, optionally with its backend (`vulkan:llvmpipe`) [default: the most capable]
    #[arg(default_value = "", hide_default_value = true)]
    adapter: String,
    /// Where to write the results.
    #[arg(long, value_name = "FILE")]
    json: PathBuf,
    /// Only losses of this kind; may be given more than once.
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<Kind>,
    /// Only this loss; may be given more than once.
    #[arg(long = "loss", value_name = "NAME")]
    losses: Vec<String>,
}

impl Args {
    fn has(&self, loss: &dyn Loss) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&Kind::of(loss)))
            && (self.losses.is_empty() || self.losses.iter().any(|name| name == loss.spec().name))
    }
}

/// Times Burn's losses beside wgloss's, and writes what came of it. Fails if a result of wgloss is wrong.
pub fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let gpu = &Gpu::find_blocking(&args.adapter)?;
    let device = &step::open_device(gpu)?;
    let compiler = if cfg!(feature = "vulkan") { "vulkan" } else { "wgpu" };
    let peer = format!("burn {} {compiler}", burn_version());
    let losses =
        [losses::LOSSES, regions::LOSSES, boxes::LOSSES, batch::LOSSES, generative::LOSSES].into_iter().flatten();
    let of_listed_pairs = batch::OF_LISTED_PAIRS.iter().map(|loss| (format!("{peer}, listed pairs"), loss));
    let mut cases = Vec::new();
    for (peer, &(name, by_burn)) in losses.map(|loss| (peer.clone(), loss)).chain(of_listed_pairs) {
        let loss = find_loss(name)?;
        if args.has(&loss) {
            let shapes = Kind::of(&loss).shapes();
            cases.extend(shapes.iter().map(|&shape| (peer.clone(), name, by_burn, loss.clone(), shape)));
        }
    }

    let mut report = Report::new(gpu, ClockKind::SubmitToDone);
    let mut is_right = true;
    for (index, (peer, name, by_burn, loss, shape)) in cases.iter().enumerate() {
        let inputs = &draw(loss, shape, DType::F32)?;
        let case = Case {
            wgloss: Box::new(WglossStep::new(gpu, loss, inputs)?),
            peer: by_burn(&BurnInputs { device, inputs, first: loss.spec().inputs[0].name }),
            truth: truth::truth(loss, inputs)?,
        };
        let Outcome { wgloss, peer: burn, wgloss_error, peer_error } = case.run();
        let ratio = burn.median() / wgloss.median();
        eprintln!("{}/{} {name} {}: {peer} {ratio:.2}×", index + 1, cases.len(), shape_text(shape));
        for (library, error) in [("wgloss", &wgloss_error), ("Burn", &peer_error)] {
            if !error.is_rounding() {
                eprintln!("  {library}'s result is wrong: {error}");
            }
        }
        is_right &= wgloss_error.is_rounding();
        report.peers.push(PeerMeasurement {
            peer: peer.clone(),
            device: gpu.adapter_id(),
            loss: name.to_string(),
            shape: shape.to_vec(),
            dtype: "f32".to_string(),
            median_ms: burn.median() * 1e3,
            spread: Some(burn.spread()),
            wgloss_median_ms: Some(wgloss.median() * 1e3),
            ratio: Some(ratio),
            is_right: peer_error.is_rounding(),
        });
    }
    fs::write(&args.json, Report::list_to_json(&[report])? + "\n")?;
    if is_right { Ok(()) } else { Err("results of wgloss are wrong".into()) }
}

/// The version that this program was built with.
fn burn_version() -> &'static str {
    let (_, entry) = include_str!("../../Cargo.lock")
        .split_once("name = \"burn\"\nversion = \"")
        .expect("Cargo locks every dependency");
    entry.split('"').next().expect("a version is quoted")
}
