//! What the inner loops of products by register tiles are made of, in the instructions that Mesa's compiler makes for
//! RDNA 2.

use super::{null_device::NullDevice, radv, spirv};

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

/// The loop with the most multiply-adds of those without another in them. Blocks begin with a line such as `BB3:`, and a
/// loop ends with a branch to one before.
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
    let holds = |outer: &(usize, usize), inner: &(usize, usize)| {
        outer != inner && outer.0 <= inner.0 && inner.1 <= outer.1
    };
    let inner = loops.iter().filter(|own| !loops.iter().any(|other| holds(own, other)));
    let counted = inner.map(|&(start, end)| {
        let body = lines[start..=end].iter().filter(|line| label(line).is_none() && !line.starts_with(';'));
        let multiplies = |line: &&&str| MULTIPLY_ADDS.iter().any(|name| line.starts_with(name));
        Loop { instructions: body.clone().count(), multiply_adds: body.filter(multiplies).count() }
    });
    counted.max_by_key(|own| own.multiply_adds).unwrap_or_default()
}

#[test]
fn dump() {
    if !radv::is_started_for(&[FAMILY]) {
        if let Some(manifest) = radv::manifest() {
            println!("{}", radv::start_again(FAMILY, &manifest, &format!("{}::dump", module_path!())));
        }
        return;
    }
    let device = NullDevice::open().expect("the null device opens");
    for used in radv::kernels().expect("the driver knows the family") {
        if !used.kernel.files.iter().any(|file| file.path == TILE) {
            continue;
        }
        let (module, info) = super::module_of(&used.kernel);
        for (entry, key) in &used.entries {
            let words = spirv::words(&used.kernel, &module, &info, entry).unwrap();
            let b = radv::bindings(&used.kernel);
            let asm = device.assembly(&words, entry, &b).unwrap();
            let stats = device.compile(&words, entry, &b).unwrap();
            let get = |n: &str| stats.iter().find(|(k, _)| k == n).map_or(0, |s| s.1);
            let own = inner_loop(&asm);
            println!("{} {:?} {}%: vgprs {} spills {} {} lds {} waves {} sub {} {:?}", key.join(" "), own, own.percent(),
                get("VGPRs"), get("Spilled VGPRs"), get("Scratch size"), get("LDS size"), get("Subgroups per SIMD"), get("Subgroup size"),
                used.kernel.constants.iter().filter(|c| c.0.contains("COLUMN")||c.0.contains("STEPS")||c.0.contains("DIFF")||c.0.contains("TO_C")).map(|c| format!("{:?}", c.1)).collect::<Vec<_>>());
            std::fs::create_dir_all("/tmp/asm").unwrap();
            std::fs::write(format!("/tmp/asm/{}.s", key.join("_").replace(' ', "_")), asm).unwrap();
        }
    }
}
