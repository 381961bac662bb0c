//! Elementwise losses: one item an element, four of which a lane takes at once.

use super::{
    Binding, Call, CallTensor, Extent, Role, Room, gradient_view, input_view,
    items::{self, Items},
    view, views_of,
};
use crate::{
    Error,
    kernel::{BLOCK, Glue, Kernel, PARTS, TensorView, block, line, list},
    program::{
        Program,
        chunk::{MOST_ELEMENTS, Split, even_span},
    },
    spec::{Domain, Input, Shape, Values, WEIGHT, shader_file},
};

/// The driver of elementwise losses.
pub(crate) struct Elementwise;

/// Elements that a lane takes at once.
const QUAD: u64 = 4;

impl Room for Elementwise {
    fn extent(&self, _: &Values, shape: &[usize]) -> Result<Extent, String> {
        Ok(Extent::of_items(shape.to_vec(), 1))
    }

    fn symbols(&self) -> [&'static str; 2] {
        ["[*]", "[1] or [*]"]
    }

    fn program(&self, call: &Call<'_>) -> Result<Program, Error> {
        let tuning = call.machine.tuning;
        let (lanes, loops) = (u64::from(tuning.workgroup_size), u64::from(tuning.max_loop_iterations));
        // A workgroup that has less than a few quads a lane costs more to start than it computes. The lanes share the
        // quads and run the blocks around them.
        let most = (loops - loops.div_ceil(BLOCK.into())).saturating_mul(lanes).min(MOST_ELEMENTS / QUAD);
        let quads = call.signature.items.div_ceil(QUAD);
        let span = even_span(quads, tuning.workgroups.into(), 2 * lanes, most);
        let split = Split { items_at_once: QUAD, ..Split::of_spans(span) };
        let tensors = items::operands(call, |tensor| call.roomy && is_of_elements(call, tensor));
        let items = Items::new(call, tuning, split, items::divisor(call), tensors)?;
        let bindings = items.bindings();
        let kernel = kernel(call, &items, &bindings);
        let last_axis = call.signature.last_axis;
        let items = items.with_kernel(kernel, bindings, |items, chunk| {
            items.words(chunk).and(block! {
                last_axis: last_axis as u32,
                last_axis_start: (chunk.first % last_axis) as u32,
            })
        });
        Ok(items.evaluated())
    }
}

/// Whether a tensor has a value for each element.
fn is_of_elements(call: &Call<'_>, tensor: &CallTensor) -> bool {
    match tensor.role.input() {
        Some(input) => input.shape == Shape::Items,
        None => tensor.role == Role::Loss && call.is_per_item(),
    }
}

fn kernel(call: &Call<'_>, items: &Items<'_>, bindings: &[Binding]) -> Kernel {
    let spec = call.spec();
    let mut kernel = Kernel::new(items.tuning.workgroup_size, items.tuning.reduce).with_params(call.values);
    kernel.tensors = views_of(bindings);
    kernel.glue = glue(call, &kernel.tensors).0;
    kernel.join([
        shader_file!("lib/storage.wgsl"),
        shader_file!("lib/domain.wgsl"),
        shader_file!("lib/scale.wgsl"),
        spec.shader,
        shader_file!("drivers/elementwise/evaluate.wgsl"),
    ]);
    kernel
}

/// What `shaders/drivers/elementwise/evaluate.wgsl` lists.
fn glue(call: &Call<'_>, views: &[TensorView]) -> Glue {
    let spec = call.spec();
    let mut glue = Glue::default();
    // What the hook takes: every input but the weight, which the driver applies.
    let hooked: Vec<&Input> = spec.inputs.iter().filter(|input| input.name != WEIGHT.name).collect();
    let outcomes = spec.differentiable().count() + 1;
    let parts: Vec<usize> = (0..outcomes).collect();

    line!(glue, "struct Items {{");
    for input in &hooked {
        line!(glue, "    {}_values: vec4<f32>,", input.name);
    }
    line!(glue, "}}");
    line!(glue, "alias Outcomes = mat{outcomes}x4<f32>;");

    for input in spec.all_inputs() {
        load_quads_of(&mut glue, views, input);
    }
    line!(glue, "fn load_items(quad: u32) -> Items {{");
    line!(glue, "    return Items({});\n}}", list(&hooked, |input| format!("load_{}(quad)", input.name)));

    line!(glue, "fn hook(items: Items) -> Outcomes {{");
    let hook = |part: &char| {
        format!("loss_and_grad({})", list(&hooked, |input| format!("items.{}_values.{part}", input.name)))
    };
    line!(glue, "    return transpose(mat4x{outcomes}<f32>({}));\n}}", list(&PARTS, hook));

    // No loop over the parts: those cost CPU adapters more than what is in them.
    let given = "inputs: vec4<u32>, offends: vec4<bool>, weight: vec4<f32>, slope: vec4<f32>";
    line!(glue, "fn finished(outcomes: Outcomes, {given}) -> Outcomes {{");
    let part = |part: &usize| {
        format!("finished_part(outcomes[{part}], inputs, offends, {})", if *part == 0 { "weight" } else { "slope" })
    };
    line!(glue, "    return Outcomes({});\n}}", list(&parts, part));

    line!(glue, "fn unsigned_bits(items: Items) -> vec4<u32> {{\n    var largest = vec4<u32>();");
    for input in &hooked {
        let bits = format!("bitcast<vec4<u32>>(items.{}_values)", input.name);
        line!(glue, "    largest = max(largest, {bits} << vec4<u32>(1u));");
    }
    line!(glue, "    return largest;\n}}");

    let check = |part: &char| {
        let check = |input: &&Input| domain_check(input.domain, &format!("items.{}_values.{part}", input.name));
        hooked.iter().filter_map(check).collect::<Vec<_>>().join(" && ")
    };
    let checked = !check(&'x').is_empty();
    line!(glue, "const CHECKED: bool = {checked};");
    line!(glue, "fn in_domain(items: Items) -> vec4<bool> {{");
    line!(glue, "    return vec4<bool>({});\n}}", if checked { list(&PARTS, check) } else { "true".to_string() });

    store_outcomes(&mut glue, call, views);
    glue
}

/// `load_<input>(quad)`: four values of an input; 1 where it was left out.
fn load_quads_of(glue: &mut Glue, views: &[TensorView], input: &Input) {
    line!(glue, "fn load_{}(quad: u32) -> vec4<f32> {{", input.name);
    let values = match (input_view(views, input.name), input.shape) {
        (None, _) => "vec4<f32>(1.0)".to_string(),
        (Some(tensor), Shape::LastAxis) => {
            line!(glue, "    let x = (call.last_axis_start + 4u * quad) % call.last_axis;");
            for (place, before) in [("y", "x"), ("z", "y"), ("w", "z")] {
                line!(glue, "    let {place} = select({before} + 1u, 0u, {before} + 1u == call.last_axis);");
            }
            format!("vec4<f32>({})", list(&PARTS, |place| tensor.element(&place.to_string())))
        }
        (Some(tensor), Shape::OneOrItems) => {
            let place = |i: &u32| format!("min(4u * quad + {i}u, call.length - 1u) * call.upstream_stride");
            format!("vec4<f32>({})", list(&[0, 1, 2, 3], |i| tensor.element(&place(i))))
        }
        (Some(tensor), _) => tensor.quad(),
    };
    line!(glue, "    return vec4<f32>({values});\n}}");
}

/// `store(quad, outcomes)` for a whole quad, `store_rest(quad, outcomes)` for one that is not: the losses where each is
/// wanted, and the gradients.
fn store_outcomes(glue: &mut Glue, call: &Call<'_>, views: &[TensorView]) {
    use std::fmt::Write as _;
    let (mut store, mut store_rest) = (String::new(), String::new());
    let mut stored = |glue: &mut Glue, tensor: &TensorView, adds, part: usize| {
        let name = &tensor.name;
        glue.store_quad(&format!("store_{name}"), tensor, adds);
        glue.store_rest(&format!("store_rest_of_{name}"), tensor, adds);
        let _ = writeln!(store, "    store_{name}(quad, outcomes[{part}]);");
        let _ = writeln!(store_rest, "    store_rest_of_{name}(quad, outcomes[{part}]);");
    };
    if let Some(tensor) = view(views, "loss_of_item") {
        stored(glue, tensor, false, 0);
    }
    for (part, input) in (1..).zip(call.spec().differentiable()) {
        if let Some(tensor) = gradient_view(views, input.name) {
            stored(glue, tensor, call.adds(), part);
        }
    }
    line!(glue, "fn store(quad: u32, outcomes: Outcomes) {{\n{store}}}");
    line!(glue, "fn store_rest(quad: u32, outcomes: Outcomes) {{\n{store_rest}}}");
}

/// An expression that is false where a value is outside a checked domain.
pub(crate) fn domain_check(domain: Domain, value: &str) -> Option<String> {
    match domain {
        Domain::Probability => Some(format!("is_probability({value})")),
        Domain::Sign => Some(format!("is_sign({value})")),
        Domain::Similar => Some(format!("is_similar({value})")),
        Domain::Where(param, on, off) => {
            let side = |domain: &Domain| domain_check(*domain, value).unwrap_or_else(|| "true".to_string());
            let (on, off) = (side(on), side(off));
            (on != "true" || off != "true").then(|| format!("select({off}, {on}, params.{param} != 0u)"))
        }
        _ => None,
    }
}
