//! Every kernel must compile: with naga as wgpu does natively, and with Tint as browsers do.

use std::{path::Path, process::Command};

use super::kernels::{Used, kernels};

fn naga_error(used: &Used) -> Option<String> {
    let error = match used.text.module() {
        Err(fault) => Some(format!("{}: {}", fault.place, fault.message)),
        Ok(module) => {
            let is_missing = |entry: &&&str| !module.entry_points.iter().any(|point| point.name == **entry);
            used.entries.iter().find(is_missing).map(|entry| format!("no entry point {entry}"))
        }
    };
    error.map(|error| format!("{}: {error}", used.name))
}

#[test]
fn every_kernel_is_valid_for_naga() {
    let errors: Vec<String> = kernels().iter().filter_map(naga_error).collect();
    assert!(errors.is_empty(), "{} of {} kernels, the first: {}", errors.len(), kernels().len(), errors[0]);
}

/// Tint comes with the npm package that `make tint` installs; without it there is nothing to run, which only CI takes
/// for a failure.
#[test]
fn every_kernel_is_valid_for_tint() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tint = root.join("tests/tint");
    if !tint.join("node_modules/webgpu").exists() {
        assert!(std::env::var_os("WGLOSS_CI").is_none(), "Tint is not installed: run `make tint`");
        eprintln!("not checked with Tint: `make tint` installs it");
        return;
    }
    let folder = root.join("target/tint");
    // Kernels of an earlier run would be counted too.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("target/ can be written to");
    for used in kernels() {
        std::fs::write(folder.join(format!("{}.wgsl", used.name)), &used.text.source)
            .expect("target/ can be written to");
    }
    let output = Command::new("node").arg(tint.join("validate.mjs")).arg(&folder).output().expect("node runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors: String = said
        .lines()
        .chain(str::lines(&String::from_utf8_lossy(&output.stderr)))
        .take(12)
        .fold(String::new(), |text, line| text + line + "\n");
    assert!(output.status.success(), "{errors}");
    assert!(said.contains(&format!("{} shaders valid", kernels().len())), "{} kernels, but {errors}", kernels().len());
}

#[test]
fn a_place_is_found_in_its_file() {
    let huber = kernels().iter().find(|used| used.name.starts_with("huber-evaluate")).expect("huber is a loss");
    let text = &huber.text;
    let byte = text.source.find("loss_and_grad(p: f32").expect("the hook is there");
    assert_eq!(text.place(byte).to_string(), "losses/regression/huber.wgsl:1:4");
    assert_eq!(text.place(0).to_string(), "generated header:1:1");
    let whole: String = text.parts().map(|(_, part)| part).collect();
    assert_eq!(whole, text.source);
    assert!(text.parts().any(|(name, part)| name == "lib/math.wgsl" && part.contains("fn expf(")));
}
