//! Elementwise losses: one item an element, four of which a lane takes at once.

#[cfg(feature = "parity")]
use super::trials::{Arrangement, Trials};
use super::{
    Binding, Call, CallTensor, Extent, Role, Room, gradient_view, input_view,
    items::{self, Items},
    view, views_of,
};
use crate::{
    Error,
    kernel::{BLOCK, Glue, Kernel, PARTS, TensorView, block, list},
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

    #[cfg(feature = "parity")]
    fn trials(&self, trials: &Trials) -> Vec<Arrangement> {
        let w = trials.lanes;
        let few: &[&[usize]] = &[&[1], &[2], &[3], &[w - 1], &[w], &[7, 3, 5], &[w + 1], &[2 * w + 1]];
        let many: &[&[usize]] = &[&[8 * w - 1], &[8 * w], &[8 * w + 1], &[131, 77]];
        let more: &[&[usize]] = &[&[128 * w + 1], &[100_003], &[4, 64, 1031]];
        vec![trials.arrangement(&[131, 7], &[few, many].concat(), more)]
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
        shader_file!("lib/domain.wgsl"),
        shader_file!("lib/scale.wgsl"),
        shader_file!("lib/share.wgsl"),
        spec.shader,
        shader_file!("drivers/elementwise/evaluate.wgsl"),
    ]);
    kernel
}

/// What `shaders/drivers/elementwise/interface.wgsl` lists.
fn glue(call: &Call<'_>, views: &[TensorView]) -> Glue {
    let spec = call.spec();
    let mut glue = Glue::default();
    // What the hook takes: every input but the weight, which the driver applies.
    let hooked: Vec<&Input> = spec.inputs.iter().filter(|input| input.name != WEIGHT.name).collect();
    let places: Vec<usize> = (0..hooked.len()).collect();
    let outcomes = spec.differentiable().count() + 1;
    glue.declare(&format!("alias Items = array<vec4<f32>, {}>;", hooked.len()));
    glue.declare(&format!("alias Outcomes = mat{outcomes}x4<f32>;"));
    glue.declare(&format!("alias Outcome = vec{outcomes}<f32>;"));

    for input in spec.all_inputs() {
        load_quad_of(&mut glue, views, input);
    }
    let loaded = list(&hooked, |input| format!("load_{}(quad)", input.name));
    glue.function("load_items(quad: u32) -> Items", &format!("Items({loaded})"));
    let taken = |place: &usize, part: &char| {
        let value = format!("items[{place}].{part}");
        within_domain(hooked[*place].domain, &value).unwrap_or(value)
    };
    let hook = |part: &char| format!("loss_and_grad({})", list(&places, |place| taken(place, part)));
    let hooks = format!("transpose(mat4x{outcomes}<f32>({}))", list(&PARTS, hook));
    glue.function("hook(items: Items) -> Outcomes", &hooks);

    // No loop over the parts: those cost CPU adapters more than what is in them.
    let given = "inputs: vec4<u32>, offends: vec4<bool>, weight: vec4<f32>, slope: vec4<f32>";
    let part = |part: usize| {
        format!("finished_part(outcomes[{part}], bits, offends, {})", if part == 0 { "weight" } else { "slope" })
    };
    let parts = list(&(0..outcomes).collect::<Vec<_>>(), |&place| part(place));
    let bits = "let bits = max(inputs, unsigned_bits_of(outcomes[0]));";
    let body = format!("{bits}\n    return Outcomes({parts});");
    glue.procedure(&format!("finished(outcomes: Outcomes, {given}) -> Outcomes"), &body);
    let largest = |bits: String, place: &usize| format!("max({bits}, unsigned_bits_of(items[{place}]))");
    let bits = places.iter().fold("vec4<u32>()".to_string(), largest);
    glue.function("unsigned_bits(items: Items) -> vec4<u32>", &bits);

    let check = |part: &char| {
        let checks = hooked.iter().zip(&places);
        let checks = checks.filter_map(|(input, place)| domain_check(input.domain, &format!("items[{place}].{part}")));
        checks.collect::<Vec<_>>().join(" && ")
    };
    let is_checked = !check(&'x').is_empty();
    glue.declare(&format!("const CHECKED: bool = {is_checked};"));
    let checks = if is_checked { list(&PARTS, check) } else { "true".to_string() };
    glue.function("in_domain(items: Items) -> vec4<bool>", &format!("vec4<bool>({checks})"));
    store_outcomes(&mut glue, call, views);
    glue
}

/// `load_<input>(quad)`: four values of an input; 1 where it was left out.
fn load_quad_of(glue: &mut Glue, views: &[TensorView], input: &Input) {
    let tensor = input_view(views, input.name);
    let places = match input.shape {
        Shape::LastAxis => "places_on_last_axis(quad)",
        Shape::OneOrItems => "min(places_of(quad), vec4<u32>(call.length - 1u)) * call.upstream_stride",
        _ => "",
    };
    let Some(tensor) = tensor.filter(|_| !places.is_empty()) else {
        return glue.load_quad(&format!("load_{}", input.name), tensor);
    };
    let values = list(&PARTS, |part| tensor.element(&format!("places.{part}")));
    let body = format!("let places = {places};\n    return vec4<f32>({values});");
    glue.procedure(&format!("load_{}(quad: u32) -> vec4<f32>", input.name), &body);
}

/// `store(quad, outcomes)` for a whole quad and `put(index, outcome)` for one item: the losses where each is wanted,
/// and the gradients.
fn store_outcomes(glue: &mut Glue, call: &Call<'_>, views: &[TensorView]) {
    let loss = view(views, "loss_of_item").map(|tensor| (0, tensor, false));
    let gradients = (1..).zip(call.spec().differentiable());
    let gradients = gradients.filter_map(|(part, input)| Some((part, gradient_view(views, input.name)?, call.adds())));
    let (mut store, mut put) = (Vec::new(), Vec::new());
    for (part, tensor, adds) in loss.into_iter().chain(gradients) {
        let function = format!("store_{}", tensor.name);
        glue.put_quad(&function, Some(tensor), adds);
        store.push(format!("{function}(quad, outcomes[{part}]);"));
        put.push(tensor.put("index", &format!("outcome[{part}]"), adds));
    }
    glue.procedure("store(quad: u32, outcomes: Outcomes)", &store.join("\n    "));
    glue.procedure("put(index: u32, outcome: Outcome)", &put.join("\n    "));
}

/// An expression for a value that takes what rounding has brought beyond an end of its domain for that end.
fn within_domain(domain: Domain, value: &str) -> Option<String> {
    match domain {
        Domain::Probability => Some(format!("as_probability({value})")),
        Domain::Where(param, on, off) => {
            let side = |domain: &Domain| within_domain(*domain, value).unwrap_or_else(|| value.to_string());
            let (on, off) = (side(on), side(off));
            (on != off).then(|| format!("select({off}, {on}, params.{param} != 0u)"))
        }
        _ => None,
    }
}

/// An expression that is false where a value is outside a checked domain.
pub(crate) fn domain_check(domain: Domain, value: &str) -> Option<String> {
    match domain {
        Domain::NonNegative => Some(format!("is_non_negative({value})")),
        Domain::LogProbability => Some(format!("is_log_probability({value})")),
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
