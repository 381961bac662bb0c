//! Kernels must compile: with naga as wgpu does natively, and with Tint as browsers do.

use std::{path::Path, process::Command};

use wgpu::naga::{AddressSpace, Block, Expression, Function, Handle, Module, Statement, TypeInner, front::wgsl};

use super::{
    kernels::{Used, kernels},
    one_of,
};

/// What is wrong with a kernel. WGSL lets a store of one component write the whole vector, and Metal's compilers make
/// use of it: what another lane has stored beside it meanwhile would be lost.
fn naga_error(used: &Used) -> Option<String> {
    let error = match used.text.module() {
        Err(fault) => Some(format!("{}: {}", fault.place, fault.message)),
        Ok(module) => {
            let is_missing = |entry: &&&str| !module.entry_points.iter().any(|point| point.name == **entry);
            let missing = used.entries.iter().find(is_missing).map(|entry| format!("no entry point {entry}"));
            let component = stores_of_components(&module).into_iter().find(|name| !OF_OWN_QUADS.contains(name));
            missing.or_else(|| Some(format!("`{}` stores a component of a vector that lanes share", component?)))
        }
    };
    error.map(|error| format!("{}: {error}", used.name))
}

#[test]
fn kernels_are_valid_for_naga_and_stores_whole_vectors() {
    let errors: Vec<String> = kernels().iter().step_by(one_of(5, 1)).filter_map(naga_error).collect();
    assert!(errors.is_empty(), "{} kernels, the first: {}", errors.len(), errors[0]);
}

/// Functions that store a part of a quad which no other lane stores anything of: the last of a tensor, or one of those
/// that a panel's row takes, or that the centres of four classes take.
const OF_OWN_QUADS: [&str; 5] = ["put", "put_value", "add_margin", "follow_margin", "spread_centers"];

/// The functions of a module that store a component of a vector in memory that lanes share.
fn stores_of_components(module: &Module) -> Vec<&str> {
    let entries = module.entry_points.iter().map(|entry| &entry.function);
    let functions = module.functions.iter().map(|(_, function)| function).chain(entries);
    let stores = functions.filter(|function| stores_components(module, function, &function.body));
    stores.map(|function| function.name.as_deref().unwrap_or("an entry point")).collect()
}

fn stores_components(module: &Module, function: &Function, block: &Block) -> bool {
    let within = |block: &Block| stores_components(module, function, block);
    block.iter().any(|statement| match statement {
        Statement::Store { pointer, .. } => is_component(module, function, *pointer),
        Statement::Block(block) => within(block),
        Statement::If { accept, reject, .. } => within(accept) || within(reject),
        Statement::Switch { cases, .. } => cases.iter().any(|case| within(&case.body)),
        Statement::Loop { body, continuing, .. } => within(body) || within(continuing),
        _ => false,
    })
}

/// Whether a pointer is to a component of a vector in storage or in workgroup memory.
fn is_component(module: &Module, function: &Function, pointer: Handle<Expression>) -> bool {
    let base_of = |pointer| match function.expressions[pointer] {
        Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => Some(base),
        _ => None,
    };
    // From the pointer to the variable, and the types on the way back.
    let path: Vec<_> = std::iter::successors(Some(pointer), |&pointer| base_of(pointer)).collect();
    let Some((Expression::GlobalVariable(variable), accesses)) =
        path.split_last().map(|(last, rest)| (&function.expressions[*last], rest))
    else {
        return false;
    };
    let variable = &module.global_variables[*variable];
    if !matches!(variable.space, AddressSpace::Storage { .. } | AddressSpace::WorkGroup) {
        return false;
    }
    let mut ty = variable.ty;
    for &access in accesses.iter().rev() {
        ty = match (&module.types[ty].inner, &function.expressions[access]) {
            (TypeInner::Array { base, .. }, _) => *base,
            (TypeInner::Struct { members, .. }, Expression::AccessIndex { index, .. }) => members[*index as usize].ty,
            (TypeInner::Vector { .. } | TypeInner::Matrix { .. }, _) => return true,
            (other, _) => unreachable!("an access to a part of {other:?}"),
        };
    }
    false
}

#[test]
fn a_stored_component_is_found() {
    let of = |body: &str| {
        let text = format!(
            "struct Pair {{ low: vec2<f32>, high: f32 }}
            @group(0) @binding(0) var<storage, read_write> quads: array<vec4<f32>>;
            @group(0) @binding(1) var<storage, read_write> pairs: array<Pair>;
            var<private> own: array<vec4<f32>, 4>;
            fn stored(i: u32, x: f32) {{ {body} }}"
        );
        !stores_of_components(&wgsl::parse_str(&text).expect("it is valid")).is_empty()
    };
    assert!(of("quads[i / 4u][i % 4u] = x;") && of("if (x > 0.0) { quads[i].y += x; }") && of("pairs[i].low.x = x;"));
    assert!(!of("quads[i] = vec4(x); pairs[i].low = vec2(x); pairs[i].high = x; own[i].x = quads[i].y;"));
}

/// Tint comes with the npm package that `make tint` installs; without it there is nothing to run, which only CI takes
/// for a failure.
#[test]
fn kernels_are_valid_for_tint() {
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
    // Where there is no time for all: naga has had more of them.
    let turns = one_of(12, 3);
    let chosen: Vec<&Used> = kernels().iter().step_by(turns).collect();
    for used in &chosen {
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
    assert!(said.contains(&format!("{} shaders valid", chosen.len())), "{} kernels, but {errors}", chosen.len());
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
