//! What the inner loops of products by register tiles are made of, in the instructions that Mesa's compiler makes for
//! RDNA 2.

use super::{gpu_kernels::GpuKernel, null_device::NullDevice, radv, spirv};
use crate::kernel::{Constant, Kernel};

const FAMILY: &str = "navi21";

/// The shader that multiplies by register tiles.
const TILE: &str = "lib/tile.wgsl";

/// What an instruction that multiplies and adds begins with.
const MULTIPLY_ADDS: [&str; 4] = ["v_fma_f32", "v_fmac_f32", "v_fmamk_f32", "v_fmaak_f32"];

/// A loop without another in it: its instructions, and those of them that multiply and add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Loop {
    instructions: usize,
    multiply_adds: usize,
}

impl Loop {
    fn percent(self) -> usize {
        100 * self.multiply_adds / self.instructions.max(1)
    }
}

/// The loop with the most multiply-adds of those without another in them. Blocks begin with a line such as `BB3:`, and
/// a loop ends with a branch to one before.
fn inner_loop(assembly: &str) -> Loop {
    let lines: Vec<&str> = assembly.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let label = |line: &str| line.strip_suffix(':').filter(|label| label.starts_with("BB")).map(String::from);
    let branch = |(end, line): (usize, &&str)| {
        let target = line.strip_prefix("s_cbranch").or(line.strip_prefix("s_branch"))?;
        let target = target.split_whitespace().find(|word| word.starts_with("BB"))?;
        let start = lines[..end].iter().position(|line| label(line).as_deref() == Some(target))?;
        Some((start, end))
    };
    let loops: Vec<(usize, usize)> = lines.iter().enumerate().filter_map(branch).collect();
    let holds =
        |outer: &(usize, usize), inner: &(usize, usize)| outer != inner && outer.0 <= inner.0 && inner.1 <= outer.1;
    let inner = loops.iter().filter(|own| !loops.iter().any(|other| holds(own, other)));
    let counted = inner.map(|&(start, end)| {
        let body = lines[start..=end].iter().filter(|line| label(line).is_none() && !line.starts_with(';'));
        let multiplies = |line: &&&str| MULTIPLY_ADDS.iter().any(|name| line.starts_with(name));
        Loop { instructions: body.clone().count(), multiply_adds: body.filter(multiplies).count() }
    });
    counted.max_by_key(|own| own.multiply_adds).unwrap_or_default()
}

/// How much of the inner loop of a product's tile must be multiply-adds, in percent: of sums of products most. Where
/// terms are differences, each takes a subtraction too, so that half of the loop is the most there can be.
fn least_percent(kernel: &Kernel) -> Option<usize> {
    let has_file = |path: &str| kernel.files.iter().any(|file| file.path == path);
    let has = |name: &str, value: Constant| kernel.constants.contains(&(name.to_string(), value));
    // Tiles of fewer dimensions, or for few of them, have less to do between their loads.
    let is_whole = has_file(TILE) && has("TILE_STEPS", Constant::Number(4));
    let has_differences =
        has_file("drivers/all_pairs/terms_of_differences.wgsl") || has("DIFFERENCES", Constant::Flag(true));
    is_whole.then_some(if has_differences { 34 } else { 60 })
}

/// The inner loops of the tiles for a family, by the first call that has them.
fn inner_loops(device: &NullDevice, used: &GpuKernel) -> Vec<(String, Loop)> {
    let (module, info) = super::module_of(&used.kernel);
    let bindings = radv::bindings(&used.kernel);
    let entries = used.entries.iter().map(|(entry, key)| {
        let assembly = spirv::words(&used.kernel, &module, &info, entry)
            .and_then(|words| device.assembly(&words, entry, &bindings))
            .unwrap_or_else(|error| panic!("{}: {error}", key.join(" ")));
        (key.join(" "), inner_loop(&assembly))
    });
    entries.collect()
}

#[test]
fn most_of_a_product_are_multiply_adds() {
    if !radv::is_started_for(&[FAMILY]) {
        if let Some(manifest) = radv::manifest() {
            let test = format!("{}::most_of_a_product_are_multiply_adds", module_path!());
            println!("{}", radv::start_again(FAMILY, &manifest, &test));
        }
        return;
    }
    let device = NullDevice::open().expect("the null device opens");
    let kernels = radv::kernels().expect("the driver knows the family");
    let (mut products, mut faults) = (0, Vec::new());
    for used in &kernels {
        let Some(least) = least_percent(&used.kernel) else { continue };
        for (name, own) in inner_loops(&device, used) {
            println!("{name}: {}% of {} instructions", own.percent(), own.instructions);
            products += usize::from(least > 50);
            if own.percent() < least {
                faults.push(format!("{name}: {own:?} is {}%, not {least}%", own.percent()));
            }
        }
    }
    assert!(products > 1, "{products} products of all");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_loop_with_the_most_multiply_adds_is_counted() {
    let assembly = "BB0:\n\
        \tv_fma_f32 v0, v1, v2, v3 ; d5\n\
        BB1:\n\
        \ts_waitcnt lgkmcnt(0)\n\
        BB2:\n\
        \tv_fmac_f32_e32 v0, v1, v2\n\
        \tv_sub_f32_e32 v0, v1, v2\n\
        \ts_cbranch_scc1 BB2 ; bf85\n\
        \ts_cbranch_scc0 BB4\n\
        \ts_branch BB1\n\
        BB4:\n\
        \ts_endpgm\n";
    assert_eq!(inner_loop(assembly), Loop { instructions: 3, multiply_adds: 1 });
    assert_eq!(inner_loop("BB0:\n\ts_endpgm\n"), Loop::default());
}
