//! The generated part of a loss's WGSL: the `Params` struct, the bindings, and the functions that load and store them.

use std::fmt::Write as _;

use crate::{
    DType,
    shader::{Binding, GradientStore, LossVariant, Role},
    spec::{CLASS_WEIGHT, Domain, Driver, Input, Kind, LossSpec, MeanOver, Rows, Rule, Shape, UPSTREAM, WEIGHT},
    tuning::RowLayout,
};

/// Declares the words of the `Params` uniform that every loss has, for the host and for WGSL.
macro_rules! fixed_params {
    ($($(#[$doc:meta])* $name:ident: $ty:ident,)*) => {
        /// The words of the `Params` uniform before the loss's own parameters.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct FixedParams {
            $($(#[$doc])* pub $name: $ty,)*
        }

        const FIXED_PARAMS: &[(&str, &str)] = &[$((stringify!($name), stringify!($ty)),)*];
    };
}

fixed_params! {
    /// Items in this chunk.
    length: u32,
    /// Pairs or rows of one workgroup.
    span: u32,
    /// Rows of a workgroup that leaves a partial.
    tally_span: u32,
    /// Where this chunk's partials start.
    first_partial: u32,
    /// Elements of a row.
    classes: u32,
    /// From one of them to the next.
    class_stride: u32,
    /// From one row, or with axes after the classes one sample, to the next in the first input.
    row_stride: u32,
    /// The same in the second.
    second_stride: u32,
    /// Workgroups that share a row.
    parts: u32,
    /// Columns of one of them.
    part_columns: u32,
    /// What gradients are multiplied with.
    scale: f32,
    /// 1 where the workspace holds the divisor.
    measured: u32,
    /// 1 where `measure` sums weights, 0 where it counts.
    weighted: u32,
    /// 0 where one upstream value is for all items, 1 where each has its own.
    upstream_stride: u32,
    /// The length of the first input's last axis.
    last_axis: u32,
    /// The position of the chunk's first item on it.
    last_axis_start: u32,
}

/// The uniform of `shaders/drivers/finalize.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct FinalizeParams {
    pub partials: u32,
    pub measured: u32,
    pub divisor: f32,
    pub reserved: u32,
}

/// The header of a loss's kernels.
pub(crate) fn header(variant: &LossVariant, bindings: &[Binding]) -> String {
    let mut header = Header::default();
    header.params(variant.loss.0);
    header.compiled(variant);
    for (number, binding) in bindings.iter().enumerate() {
        header.binding(number, binding, variant);
    }
    match variant.loss.0.driver {
        Driver::Elementwise => header.elementwise(variant),
        Driver::Rows(rows) => header.rows(variant, rows),
    }
    header.text
}

/// The text so far.
#[derive(Default)]
struct Header {
    text: String,
}

/// Appends one formatted line.
macro_rules! line {
    ($header:expr, $($format:tt)*) => {{
        let _ = writeln!($header.text, $($format)*);
    }};
}

impl Header {
    fn params(&mut self, spec: &LossSpec) {
        line!(self, "struct Params {{");
        for (name, ty) in FIXED_PARAMS {
            line!(self, "    {name}: {ty},");
        }
        for param in spec.params {
            line!(self, "    {}: {},", param.name, param.default.wgsl_type());
        }
        line!(self, "}}");
    }

    /// What the kernel is compiled for, and the numbers that stand for words.
    fn compiled(&mut self, variant: &LossVariant) {
        let spec = variant.loss.0;
        for (param, value) in spec.params.iter().filter(|param| param.compiled).zip(&variant.compiled) {
            line!(self, "const COMPILED_{}: u32 = {value}u;", param.name.to_uppercase());
        }
        for param in spec.params {
            if let Rule::Word(words) = param.rule {
                for (number, word) in words.iter().enumerate() {
                    line!(self, "const {}_{}: u32 = {number}u;", param.name.to_uppercase(), word.to_uppercase());
                }
            }
        }
    }

    fn binding(&mut self, number: usize, binding: &Binding, variant: &LossVariant) {
        let access = if binding.writable { "read_write" } else { "read" };
        let (space, name, ty) = match binding.role {
            Role::Params => ("uniform".to_string(), "params".to_string(), "Params"),
            Role::Input { input, dtype } => {
                (format!("storage, {access}"), format!("input_{input}"), variant.stored_type(input, dtype))
            }
            Role::Gradient { input, .. } if variant.stores_atomically() => {
                (format!("storage, {access}"), format!("grad_{input}"), "array<atomic<u32>>")
            }
            Role::Gradient { input, dtype } => {
                (format!("storage, {access}"), format!("grad_{input}"), variant.stored_type(input, dtype))
            }
            Role::Loss => (format!("storage, {access}"), "loss_of_item".to_string(), "array<f32>"),
            Role::LogSumExp => (format!("storage, {access}"), "log_sum_exp_of_row".to_string(), "array<f32>"),
            Role::Argmax => (format!("storage, {access}"), "argmax_of_row".to_string(), "array<i32>"),
            Role::Rows => (format!("storage, {access}"), "rows".to_string(), "array<Row>"),
            Role::Workspace => (format!("storage, {access}"), "workspace".to_string(), "Workspace"),
        };
        line!(self, "@group(0) @binding({number}) var<{space}> {name}: {ty};");
    }

    /// Items are pairs of elements: `load_…` gives two values at once.
    fn elementwise(&mut self, variant: &LossVariant) {
        let spec = variant.loss.0;
        // What the hook takes: every input but the weight, which the driver applies.
        let hooked: Vec<&Input> = spec.inputs.iter().filter(|input| input.name != WEIGHT.name).collect();
        let differentiable: Vec<&Input> = spec.differentiable().collect();

        line!(self, "struct Item {{");
        for input in &hooked {
            line!(self, "    {}_value: f32,", input.name);
        }
        line!(self, "}}");
        line!(self, "struct Items {{\n    low: Item,\n    high: Item,\n}}");
        line!(self, "const OUTCOMES: u32 = {}u;", differentiable.len() + 1);
        line!(self, "alias Outcome = vec{}<f32>;", differentiable.len() + 1);

        for input in spec.all_inputs() {
            self.load_pair(input, &variant.stored_name(input), variant.dtype(input.name));
        }
        line!(self, "fn load_items(pair: u32) -> Items {{");
        for input in &hooked {
            line!(self, "    let {0}_value = load_{0}(pair);", input.name);
        }
        let item = |half: &str| {
            let values: Vec<String> = hooked.iter().map(|input| format!("{}_value.{half}", input.name)).collect();
            format!("Item({})", values.join(", "))
        };
        line!(self, "    return Items({}, {});\n}}", item("x"), item("y"));

        let each = |format: fn(&str) -> String, joint: &str| {
            let terms: Vec<String> = hooked.iter().map(|input| format(&format!("item.{}_value", input.name))).collect();
            terms.join(joint)
        };
        line!(self, "fn hook(item: Item) -> Outcome {{");
        line!(self, "    return loss_and_grad({});\n}}", each(str::to_string, ", "));
        line!(self, "fn any_nan(item: Item) -> bool {{");
        line!(self, "    return {};\n}}", each(|value| format!("is_nan({value})"), " || "));
        line!(self, "fn all_finite(item: Item) -> bool {{");
        line!(self, "    return {};\n}}", each(|value| format!("is_finite({value})"), " && "));
        let checks: Vec<String> = hooked
            .iter()
            .filter_map(|input| domain_check(input.domain, &format!("item.{}_value", input.name)))
            .collect();
        line!(self, "const CHECKED: bool = {};", !checks.is_empty());
        line!(self, "fn in_domain(item: Item) -> bool {{");
        line!(self, "    return {};\n}}", if checks.is_empty() { "true".to_string() } else { checks.join(" && ") });

        line!(self, "fn store_losses(pair: u32, values: vec2<f32>) {{");
        if variant.per_item {
            self.store_pair_f32("loss_of_item", "=");
        }
        line!(self, "}}");
        self.store_gradients(variant, &differentiable);
    }

    /// `load_<input>(pair)`: the two values of an input; 1 where it was left out.
    fn load_pair(&mut self, input: &Input, name: &str, dtype: Option<DType>) {
        line!(self, "fn load_{}(pair: u32) -> vec2<f32> {{", input.name);
        match dtype {
            None => line!(self, "    return vec2<f32>(1.0);"),
            Some(dtype) => match input.shape {
                Shape::LastAxis => {
                    let position = "(params.last_axis_start + 2u * pair";
                    let value = |offset: &str| element(name, dtype, &format!("{position}{offset}) % params.last_axis"));
                    line!(self, "    return vec2<f32>({}, {});", value(""), value(" + 1u"));
                }
                Shape::OneOrItems => {
                    let value = |index: &str| element(name, dtype, &format!("({index}) * params.upstream_stride"));
                    let last = "min(2u * pair + 1u, params.length - 1u)";
                    line!(self, "    return vec2<f32>({}, {});", value("2u * pair"), value(last));
                }
                _ if dtype.is_half() => line!(self, "    return unpack_{dtype}({name}[pair]);"),
                // The last pair of an odd length reads its only value twice.
                _ => line!(
                    self,
                    "    return vec2<f32>({name}[2u * pair], {name}[min(2u * pair + 1u, params.length - 1u)]);"
                ),
            },
        }
        line!(self, "}}");
    }

    /// Statements that store `values` at a pair of elements of an f32 array.
    fn store_pair_f32(&mut self, name: &str, operator: &str) {
        line!(self, "    {name}[2u * pair] {operator} values.x;");
        line!(self, "    if (2u * pair + 1u < params.length) {{");
        line!(self, "        {name}[2u * pair + 1u] {operator} values.y;\n    }}");
    }

    fn store_gradients(&mut self, variant: &LossVariant, differentiable: &[&Input]) {
        if variant.gradients != GradientStore::Skip {
            for input in differentiable {
                let name = format!("grad_{}", input.name);
                line!(self, "fn store_{name}(pair: u32, values: vec2<f32>) {{");
                match (variant.dtype(input.name), variant.gradients) {
                    (Some(dtype), gradients) if dtype.is_half() => {
                        if gradients == GradientStore::Add {
                            line!(self, "    let word = pack_{dtype}(unpack_{dtype}({name}[pair]) + values);");
                        } else {
                            line!(self, "    let word = pack_{dtype}(values);");
                        }
                        line!(self, "    if (2u * pair + 1u < params.length) {{");
                        line!(self, "        {name}[pair] = word;\n    }} else {{");
                        line!(
                            self,
                            "        // The upper half of the last word of an odd length is not ours and stays."
                        );
                        line!(self, "        {name}[pair] = (word & 0xffffu) | ({name}[pair] & 0xffff0000u);\n    }}");
                    }
                    (_, GradientStore::Add) => self.store_pair_f32(&name, "+="),
                    _ => self.store_pair_f32(&name, "="),
                }
                line!(self, "}}");
            }
        }
        line!(self, "fn store_gradients(pair: u32, low: Outcome, high: Outcome, scale: vec2<f32>) {{");
        if variant.gradients != GradientStore::Skip {
            for (input, part) in differentiable.iter().zip(["y", "z", "w"]) {
                line!(self, "    store_grad_{}(pair, scale * vec2<f32>(low.{part}, high.{part}));", input.name);
            }
        }
        line!(self, "}}");
    }

    /// Items are rows: what `shaders/lib/rows.wgsl` lists.
    fn rows(&mut self, variant: &LossVariant, rows: Rows) {
        let spec = variant.loss.0;
        let first = &spec.inputs[0];
        let labels = spec.inputs.iter().find(|input| input.kind == Kind::Index);
        let second = spec.second_rows();
        let layout = variant.rows;

        let checks_classes = second.is_some() || variant.dtype(CLASS_WEIGHT.name).is_some();
        for (name, value) in [
            ("SOFTMAX", !rows.softmax_of.is_empty()),
            ("SECOND_SOFTMAX", rows.softmax_of.len() > 1),
            ("HAS_TARGET", labels.is_some()),
            ("PER_CLASS", rows.per_class),
            ("CHECKS_CLASSES", checks_classes),
            ("STATISTICS", variant.statistics.log_sum_exp || variant.statistics.argmax),
            ("CONTIGUOUS", layout.is_some_and(RowLayout::is_contiguous)),
            ("STORES", variant.stores_classes()),
            ("GRADIENTS", variant.gradients != GradientStore::Skip),
            ("IN_PLACE", variant.gradients == GradientStore::InPlace),
            ("MEAN_OVER_CLASS_WEIGHTS", rows.mean_over == MeanOver::ClassWeights),
        ] {
            line!(self, "const {name}: bool = {value};");
        }
        if let Some(RowLayout::Workgroup { cache, .. }) = layout {
            line!(self, "const ROW_CACHE: u32 = {cache}u;");
        }

        let is_atomic = variant.stores_atomically() && variant.gradients == GradientStore::InPlace;
        let value = match variant.dtype(first.name) {
            Some(dtype) if is_atomic => {
                format!("unpack_{dtype}(atomicLoad(&grad_{}[index / 2u]))[index % 2u]", first.name)
            }
            Some(dtype) => variant.element(first, dtype, "index"),
            None => "0.0".to_string(),
        };
        line!(self, "fn load_first(index: u32) -> f32 {{\n    return {value};\n}}");
        self.load_quad("first", Some(first), variant);
        self.load_quad("second", second, variant);
        self.load_element("second", "f32", second, variant, "index", "1.0");
        self.load_element("class_weight", "f32", Some(&CLASS_WEIGHT), variant, "index", "1.0");
        self.load_element("target", "i32", labels, variant, "index", "0");
        self.load_element("weight", "f32", Some(&WEIGHT), variant, "index", "1.0");
        self.load_element("upstream", "f32", Some(&UPSTREAM), variant, "(index * params.upstream_stride)", "1.0");

        let ignores = spec.params.iter().any(|param| param.name == "ignore_index");
        let ignored = if ignores { "label == params.ignore_index" } else { "false" };
        line!(self, "fn is_ignored(label: i32) -> bool {{\n    return {ignored};\n}}");
        let standing = match second.map(|input| input.domain) {
            Some(Domain::Probability) => {
                "select(select(FINE, SPOILT, is_nan(value)), OUT_OF_RANGE, !is_probability(value))"
            }
            Some(_) => "select(FINE, SPOILT, is_nan(value) || bitcast<u32>(value) == 0x7f800000u)",
            None => "FINE",
        };
        line!(self, "fn standing_of_second(value: f32) -> u32 {{\n    return {standing};\n}}");
        line!(self, "fn standing_of_weight(value: f32) -> u32 {{");
        line!(self, "    return select(select(SPOILT, FINE, is_finite(value)), OUT_OF_RANGE, value < 0.0);\n}}");

        let statistics = variant.statistics;
        self.store("loss", "f32", "loss_of_item", variant.per_item && !rows.per_class);
        self.store("value", "f32", "loss_of_item", variant.per_item && rows.per_class);
        self.store("log_sum_exp", "f32", "log_sum_exp_of_row", statistics.log_sum_exp);
        self.store("argmax", "i32", "argmax_of_row", statistics.argmax);
        self.put_gradients(variant, first);
    }

    /// `load_<name>(index)`: one value of an input, or a default where it was left out.
    fn load_element(
        &mut self,
        name: &str,
        ty: &str,
        input: Option<&Input>,
        variant: &LossVariant,
        index: &str,
        default: &str,
    ) {
        let given = input.and_then(|input| Some((input, variant.dtype(input.name)?)));
        let value = match given {
            Some((input, dtype)) => variant.element(input, dtype, index),
            None => default.to_string(),
        };
        line!(self, "fn load_{name}(index: u32) -> {ty} {{\n    return {value};\n}}");
    }

    /// `load_<name>_quad(quad)`: four values of an input at once, where its tensor is bound for that.
    fn load_quad(&mut self, name: &str, input: Option<&Input>, variant: &LossVariant) {
        let given = input.and_then(|input| Some((input, variant.dtype(input.name)?)));
        let value = match given {
            Some((input, dtype)) if variant.has_quads_of(input.name) => {
                let name = variant.stored_name(input);
                match dtype.is_half() {
                    true => format!("vec4<f32>(unpack_{dtype}({name}[quad].x), unpack_{dtype}({name}[quad].y))"),
                    false => format!("{name}[quad]"),
                }
            }
            _ => "vec4<f32>(1.0)".to_string(),
        };
        line!(self, "fn load_{name}_quad(quad: u32) -> vec4<f32> {{\n    return {value};\n}}");
    }

    /// `store_<name>(index, value)`, which does nothing unless it is wanted.
    fn store(&mut self, name: &str, ty: &str, array: &str, wanted: bool) {
        line!(self, "fn store_{name}(index: u32, value: {ty}) {{");
        if wanted {
            line!(self, "    {array}[index] = value;");
        }
        line!(self, "}}");
    }

    /// `put_gradient(index, value)` for one element; of halves `put_gradients(word, values)` for two; and where four are
    /// bound together, `put_gradient_quad(quad, values)`.
    fn put_gradients(&mut self, variant: &LossVariant, first: &Input) {
        let name = format!("grad_{}", first.name);
        let (quads, atomic) = (variant.has_quads_of(first.name), variant.stores_atomically());
        let half = variant.dtype(first.name).filter(|dtype| dtype.is_half());
        if variant.gradients == GradientStore::Skip {
            line!(self, "fn put_gradient(index: u32, value: f32) {{}}");
            line!(self, "fn put_gradient_quad(quad: u32, values: vec4<f32>) {{}}");
            return;
        }
        // What is added to the values: what is there already, if they are not to replace it.
        let add = variant.gradients == GradientStore::Add;
        let old = |there: String| if add { format!(" + {there}") } else { String::new() };
        let Some(dtype) = half else {
            let operator = if add { "+=" } else { "=" };
            let place = if quads { format!("{name}[index / 4u][index % 4u]") } else { format!("{name}[index]") };
            line!(self, "fn put_gradient(index: u32, value: f32) {{\n    {place} {operator} value;\n}}");
            if quads {
                line!(self, "fn put_gradient_quad(quad: u32, values: vec4<f32>) {{");
                line!(self, "    {name}[quad] {operator} values;\n}}");
            }
            return;
        };

        let place = if quads { format!("{name}[word / 2u][word % 2u]") } else { format!("{name}[word]") };
        let load = if atomic { format!("atomicLoad(&{place})") } else { place.clone() };
        let pack =
            |values: &str, there: &str| format!("pack_{dtype}({values}{})", old(format!("unpack_{dtype}({there})")));
        line!(self, "fn put_gradient(index: u32, value: f32) {{");
        line!(self, "    let word = index / 2u;");
        line!(self, "    let shift = 16u * (index % 2u);");
        line!(self, "    let there = {load};");
        let sum = format!("value{}", old(format!("unpack_{dtype}(there)[index % 2u]")));
        line!(self, "    let half = pack_{dtype}(vec2<f32>({sum}, 0.0)) & 0xffffu;");
        if atomic {
            // Whatever becomes of the other half meanwhile.
            line!(self, "    atomicXor(&{place}, (half ^ ((there >> shift) & 0xffffu)) << shift);");
        } else {
            line!(self, "    {place} = (there & ~(0xffffu << shift)) | (half << shift);");
        }
        line!(self, "}}\nfn put_gradients(word: u32, values: vec2<f32>) {{");
        match atomic {
            true => line!(self, "    atomicStore(&{place}, {});", pack("values", &load)),
            false => line!(self, "    {place} = {};", pack("values", &load)),
        }
        line!(self, "}}");
        if quads {
            let (low, high) = (pack("values.xy", "there.x"), pack("values.zw", "there.y"));
            line!(self, "fn put_gradient_quad(quad: u32, values: vec4<f32>) {{");
            line!(self, "    let there = {name}[quad];\n    {name}[quad] = vec2<u32>({low}, {high});\n}}");
        }
    }
}

impl LossVariant {
    /// The WGSL type of a tensor's binding: halves are pairs in a word.
    fn stored_type(&self, input: &str, dtype: DType) -> &'static str {
        match (dtype, self.has_quads_of(input)) {
            (DType::F32, false) => "array<f32>",
            (DType::F32, true) => "array<vec4<f32>>",
            (DType::F16 | DType::BF16, false) => "array<u32>",
            (DType::F16 | DType::BF16, true) => "array<vec2<u32>>",
            (DType::I32, _) => "array<i32>",
        }
    }

    /// An expression for one element of an input.
    fn element(&self, input: &Input, dtype: DType, index: &str) -> String {
        let name = self.stored_name(input);
        match (self.has_quads_of(input.name), dtype.is_half()) {
            (false, _) => element(&name, dtype, index),
            (true, false) => format!("{name}[({index}) / 4u][({index}) % 4u]"),
            (true, true) => {
                format!("unpack_{dtype}({name}[({index}) / 4u][({index}) / 2u % 2u])[({index}) % 2u]")
            }
        }
    }
}

/// An expression for one element of a tensor.
fn element(name: &str, dtype: DType, index: &str) -> String {
    if dtype.is_half() {
        format!("unpack_{dtype}({name}[({index}) / 2u])[({index}) % 2u]")
    } else {
        format!("{name}[{index}]")
    }
}

/// An expression that is false where a value is outside a checked domain.
fn domain_check(domain: Domain, value: &str) -> Option<String> {
    match domain {
        Domain::Probability => Some(format!("is_probability({value})")),
        Domain::Sign => Some(format!("is_sign({value})")),
        Domain::Where(param, on, off) => {
            let side = |domain: &Domain| domain_check(*domain, value).unwrap_or_else(|| "true".to_string());
            let (on, off) = (side(on), side(off));
            (on != "true" || off != "true").then(|| format!("select({off}, {on}, params.{param} != 0u)"))
        }
        _ => None,
    }
}
