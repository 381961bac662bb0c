//! Elementwise losses: one item an element, four of which a lane takes at once.

#[cfg(feature = "parity")]
use super::trials::{Arrangement, Axes, TrialShape, Trials};
use super::{
    Binding, Call, CallTensor, Extent, Role, Room, Statistic, fold, gradient_name, gradient_view, input_view,
    items::{self, Items},
    own_statistics, view, views_of,
};
use crate::{
    DType, Error, TensorType,
    gpu::Loops,
    kernel::{Glue, Kernel, PARTS, TensorView, list},
    program::{
        Program, Scratch, WORKSPACE,
        chunk::{MOST_ELEMENTS, Operand, Split, even_span},
    },
    spec::{Domain, Input, LossSpec, MASK, OwnStatistic, Shape, UPSTREAM, Values, WEIGHT, shader_file},
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

    fn broadcasts(&self) -> bool {
        true
    }

    fn statistics(&self, spec: &LossSpec) -> Vec<Statistic> {
        own_statistics(spec).collect()
    }

    fn program(&self, call: &Call<'_>) -> Result<Program, Error> {
        let tuning = call.machine.tuning;
        let lanes = u64::from(tuning.workgroup_size);
        // Over the quads of a span, whose losses are added up, and counts if values are checked.
        let loops = |span| Loops::blocks(span, lanes, Loops::NONE) + Loops::reduce(tuning) * 4;
        let most = call.machine.most(call.loss(), MOST_ELEMENTS / QUAD, loops)?;
        // A workgroup that has less than a few quads a lane costs more to start than it computes.
        let quads = call.signature.items.div_ceil(QUAD);
        let span = even_span(quads, tuning.workgroups.into(), 2 * lanes, most);
        let split = Split { items_at_once: QUAD, ..Split::of_spans(span) };
        let tensors = operands(call)?;
        let folded: Vec<(&Input, Operand)> = tensors.iter().filter_map(folded).collect();
        let mut items = Items::new(call, tuning, split, items::divisor(call), tensors)?;
        for (_, terms) in &folded {
            let size = terms.ty.dtype.size_in_quads(terms.ty.elements().max(1));
            items.program.scratch.push(Scratch { label: "the gradients of a broadcast input", size });
        }
        let bindings = items.bindings();
        let kernel = kernel(call, &items, &bindings);
        let items = items.with_kernel(kernel, bindings, |items, chunk| {
            let mut words = items.words(chunk);
            for input in call.spec().all_inputs() {
                if let Some(spread) = call.signature.spread(input.name) {
                    spread.fill(input.name, chunk.first, &mut words);
                }
            }
            words
        });
        let mut program = items.evaluated(loops(span.into()))?;
        for (input, terms) in &folded {
            fold::add_steps(call, input, terms, &mut program)?;
        }
        Ok(program)
    }

    #[cfg(feature = "parity")]
    fn trials(&self, trials: &Trials) -> Vec<Arrangement> {
        let w = trials.lanes;
        let few: &[&[usize]] = &[&[1], &[2], &[3], &[w - 1], &[w], &[7, 3, 5], &[w + 1], &[2 * w + 1]];
        let many: &[&[usize]] = &[&[8 * w - 1], &[8 * w], &[8 * w + 1], &[131, 77]];
        let more: &[&[usize]] = &[&[128 * w + 1], &[100_003], &[4, 64, 1031]];
        let broadcast = |shapes: &[&[usize]], axes| Arrangement {
            middle: TrialShape::broadcasting(shapes[0], axes),
            others: shapes[1..].iter().map(|shape| TrialShape::broadcasting(shape, axes)).collect(),
        };
        let mut arrangements = vec![
            trials.arrangement(&[131, 7], &[few, many].concat(), more),
            broadcast(&[&[131, 7], &[3, 71, 5], &[2, 8 * w + 1]], &[Axes::First, Axes::All, Axes::Last, Axes::Last]),
        ];
        if trials.full {
            let axes = &[Axes::All, Axes::None, Axes::Ends, Axes::First];
            arrangements.push(broadcast(&[&[3, 71, 5], &[17, 2, 8 * w + 1], &[2, 4099, 2]], axes));
            let axes = &[Axes::Ends, Axes::All, Axes::None, Axes::Ends];
            arrangements.push(broadcast(&[&[3, 71, 5], &[17, 3, 8 * w + 1], &[2, 4099, 2]], axes));
        }
        arrangements
    }
}

/// Whether a tensor has a value for each element.
fn is_of_elements(call: &Call<'_>, tensor: &CallTensor) -> bool {
    match tensor.role.input() {
        Some(input) => input.shape == Shape::Items && call.signature.spread(input.name).is_none(),
        None => tensor.role == Role::Loss && call.is_per_item() || tensor.role == Role::Statistic,
    }
}

/// The tensors that kernels of elements bind. The gradient of an input whose values serve several elements each is
/// first left for every element, in a scratch; even in place of its input, which later chunks read.
fn operands(call: &Call<'_>) -> Result<Vec<(CallTensor, Operand)>, Error> {
    let mut scratch = WORKSPACE;
    let mut tensors = Vec::new();
    for (tensor, operand) in items::operands(call, |tensor| call.roomy && is_of_elements(call, tensor)) {
        let Some((input, spread)) =
            tensor.role.input().and_then(|input| Some((input, call.signature.spread(input.name)?)))
        else {
            tensors.push((tensor, operand));
            continue;
        };
        let most = u64::from(u32::MAX / 2);
        if spread.largest_word() > most {
            let what = format!("{}: broadcasting `{}`", call.loss(), input.name);
            return Err(call.machine.limit(&what, "indices of 32 bits", spread.largest_word(), most));
        }
        let role = match tensor.role {
            Role::Overwritten(input) => Role::Input(input),
            role => role,
        };
        if let Role::Input(_) = role {
            tensors.push((CallTensor { role, ..tensor.clone() }, Operand { unit: None, quads: false, ..operand }));
        }
        if let Role::Overwritten(_) | Role::Gradient(_) = tensor.role {
            scratch += 1;
            let (name, ty) = (gradient_name(input.name), TensorType::new(DType::F32, &call.signature.item_shape[..]));
            let (unit, quads) = (Some(1), call.roomy);
            let terms = Operand { name: name.clone(), ty: ty.clone(), scratch: Some(scratch), unit, quads, ..operand };
            tensors.push((CallTensor { name, ty, role: Role::Gradient(input) }, terms));
        }
    }
    Ok(tensors)
}

/// The input whose gradient a scratch has for every element, and the scratch.
fn folded((tensor, operand): &(CallTensor, Operand)) -> Option<(&'static Input, Operand)> {
    operand.scratch.and_then(|_| Some((tensor.role.input()?, operand.clone())))
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
        shader_file!("lib/logistic.wgsl"),
        spec.shader,
    ]);
    kernel.join(call.own_statistics().map(|own| own.file));
    kernel.join([shader_file!("drivers/elementwise/evaluate.wgsl")]);
    kernel
}

/// What `shaders/drivers/elementwise/interface.wgsl` lists.
fn glue(call: &Call<'_>, views: &[TensorView]) -> Glue {
    let spec = call.spec();
    let mut glue = Glue::default();
    // What the hook takes: every input but the weight, which the driver applies.
    let hooked: Vec<&Input> = spec.inputs.iter().filter(|input| input.name != WEIGHT.name).collect();
    let places: Vec<usize> = (0..hooked.len()).collect();
    let own: Vec<&OwnStatistic> = call.own_statistics().collect();
    let slopes = spec.differentiable().count();
    let outcomes = 1 + slopes + own.len();
    glue.declare(&format!("alias Items = array<vec4<f32>, {}>;", hooked.len()));
    glue.declare(&format!("alias Outcomes = mat{outcomes}x4<f32>;"));
    glue.declare(&format!("alias Outcome = vec{outcomes}<f32>;"));

    // A loss may do without a weight.
    for input in hooked.iter().copied().chain([&WEIGHT, &UPSTREAM]) {
        load_quad_of(&mut glue, call, views, input);
    }
    are_kept(&mut glue, call, views);
    let loaded = list(&hooked, |input| format!("load_{}(quad)", input.name));
    glue.function("load_items(quad: u32) -> Items", &format!("Items({loaded})"));
    let taken = |place: &usize, part: &char| {
        let value = format!("items[{place}].{part}");
        within_domain(hooked[*place].domain, &value).unwrap_or(value)
    };
    let hook = |part: &char| {
        let taken = list(&places, |place| taken(place, part));
        let of_own = |own: &&OwnStatistic| format!(", {}_of({taken})", own.name());
        let loss = format!("loss_and_grad({taken})");
        match &own[..] {
            [] => loss,
            own => format!("vec{outcomes}<f32>({loss}{})", own.iter().map(of_own).collect::<String>()),
        }
    };
    let hooks = format!("transpose(mat4x{outcomes}<f32>({}))", list(&PARTS, hook));
    glue.function("hook(items: Items) -> Outcomes", &hooks);

    // No loop over the parts: those cost CPU adapters more than what is in them.
    let given = "inputs: vec4<u32>, offends: vec4<bool>, weight: vec4<f32>, slope: vec4<f32>";
    let part = |part: usize| {
        let (bits, factor) = match part {
            0 => ("bits", "weight"),
            _ if part <= slopes => ("bits", "slope"),
            // A loss of which nothing is known leaves what else is told of its item.
            _ => ("inputs", "vec4<f32>(1.0)"),
        };
        format!("finished_part(outcomes[{part}], {bits}, offends, {factor})")
    };
    let parts = list(&(0..outcomes).collect::<Vec<_>>(), |&place| part(place));
    let bits = "let bits = max(inputs, unsigned_bits_of(outcomes[0]));";
    let body = format!("{bits}\n    return Outcomes({parts});");
    glue.procedure(&format!("finished(outcomes: Outcomes, {given}) -> Outcomes"), &body);
    let largest = |bits: String, place: &usize| format!("max({bits}, unsigned_bits_of(items[{place}]))");
    let bits = places.iter().fold("vec4<u32>()".to_string(), largest);
    glue.function("unsigned_bits(items: Items) -> vec4<u32>", &bits);

    let check = |part: &char| {
        // What was left out has nothing to check.
        let given = hooked.iter().zip(&places).filter(|(input, _)| input_view(views, input.name).is_some());
        let checks = given.filter_map(|(input, place)| domain_check(input.domain, &format!("items[{place}].{part}")));
        checks.collect::<Vec<_>>().join(" && ")
    };
    let is_checked = !check(&'x').is_empty();
    glue.declare(&format!("const CHECKED: bool = {is_checked};"));
    let checks = if is_checked { list(&PARTS, check) } else { "true".to_string() };
    glue.function("in_domain(items: Items) -> vec4<bool>", &format!("vec4<bool>({checks})"));
    store_outcomes(&mut glue, call, views);
    glue
}

/// `are_kept(quad)`: which of four items the mask keeps.
fn are_kept(glue: &mut Glue, call: &Call<'_>, views: &[TensorView]) {
    let (mut places, mut kept) = (None, "vec4<bool>(true)".to_string());
    let mask = input_view(views, MASK.name);
    if let Some(mask) = mask {
        places = call.signature.spread(MASK.name).map(|spread| spread.places(MASK.name));
        let values = if places.is_some() { values_at_places(mask) } else { mask.quad() };
        kept = match mask.dtype() {
            Some(DType::I32) => format!("{values} != vec4<i32>()"),
            // Told by bits: of a comparison compilers may assume that it sees no NaN.
            _ => format!("unsigned_bits_of({values}) != vec4<u32>()"),
        };
    }
    let places = places.map_or_else(String::new, |places| format!("let places = {places};\n    "));
    glue.declare(&format!("const MASKED: bool = {};", mask.is_some()));
    glue.procedure("are_kept(quad: u32) -> vec4<bool>", &format!("{places}return {kept};"));
}

/// The four values of a tensor at `places`.
fn values_at_places(tensor: &TensorView) -> String {
    format!("vec4({})", list(&PARTS, |part| tensor.element(&format!("places.{part}"))))
}

/// `load_<input>(quad)`: four values of an input; its default where it was left out.
fn load_quad_of(glue: &mut Glue, call: &Call<'_>, views: &[TensorView], input: &Input) {
    let tensor = input_view(views, input.name);
    let spread = call.signature.spread(input.name).map(|spread| spread.places(input.name));
    let places = match spread {
        Some(places) if input.name == UPSTREAM.name => format!("({places}) * call.upstream_stride"),
        Some(places) => places,
        None if input.shape == Shape::OneOrItems => {
            "min(places_of(quad), vec4<u32>(call.length - 1u)) * call.upstream_stride".to_string()
        }
        None => String::new(),
    };
    let Some(tensor) = tensor.filter(|_| !places.is_empty()) else {
        return glue.load_quad(&format!("load_{}", input.name), tensor, &format!("{:?}", input.absent));
    };
    let body = format!("let places = {places};\n    return vec4<f32>({});", values_at_places(tensor));
    glue.procedure(&format!("load_{}(quad: u32) -> vec4<f32>", input.name), &body);
}

/// `store(quad, outcomes)` for a whole quad and `put(index, outcome)` for one item: the losses where each is wanted,
/// the gradients, and statistics.
fn store_outcomes(glue: &mut Glue, call: &Call<'_>, views: &[TensorView]) {
    let loss = view(views, "loss_of_item").map(|tensor| (0, tensor, false));
    let gradients = (1..).zip(call.spec().differentiable());
    // What is added up first has nothing to be added to yet.
    let adds = |input: &Input| call.adds() && call.signature.spread(input.name).is_none();
    let gradients = gradients.filter_map(|(part, input)| Some((part, gradient_view(views, input.name)?, adds(input))));
    let own = (1 + call.spec().differentiable().count()..).zip(call.own_statistics());
    let own = own.filter_map(|(part, own)| Some((part, view(views, &format!("{}_of_item", own.name()))?, false)));
    let (mut store, mut put) = (Vec::new(), Vec::new());
    for (part, tensor, adds) in loss.into_iter().chain(gradients).chain(own) {
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
        Domain::LogVariance => Some(format!("is_log_variance({value})")),
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
