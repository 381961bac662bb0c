//! The generated part of a loss's WGSL: the `Params` struct, the bindings, and the functions that load and store them.

use std::fmt::Write as _;

use crate::{
    DType, Distance,
    shader::{Binding, GradientStore, LossVariant, Quads, Role},
    spec::{
        CLASS_WEIGHT, Domain, Driver, Input, Kind, LossSpec, MeanOver, Param, Regions, Rows, Rule, Shape, UPSTREAM,
        WEIGHT, Word,
    },
    tuning::RowLayout,
};

/// Declares the words of the `Params` uniform before the loss's own parameters, for the host and for WGSL.
macro_rules! fixed_params {
    ($(#[$about:meta])* $host:ident, $wgsl:ident { $($(#[$doc:meta])* $name:ident: $ty:ident,)* }) => {
        $(#[$about])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct $host {
            $($(#[$doc])* pub $name: $ty,)*
        }

        pub(crate) const $wgsl: &[(&str, &str)] = &[$((stringify!($name), stringify!($ty)),)*];
    };
}

fixed_params! {
    /// What the kernels of items are told, one chunk at a time.
    FixedParams, FIXED_PARAMS {
    /// Items in this chunk.
    length: u32,
    /// Quads, rows or boxes of one workgroup.
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
    /// Pixels of a segment, over which the scores of a region go: a sample, or all of the chunk.
    segment: u32,
    /// How many segments there are, and of how many parts each is.
    segments: u32,
    segment_parts: u32,
    /// Scores of a segment; 1 where each class has its own.
    segment_scores: u32,
    per_class: u32,
    /// The record that the slopes begin at.
    first_slopes: u32,
    /// What the gradients of the pixels' term are multiplied with.
    term_scale: f32,
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
}

fixed_params! {
    /// What the kernels of a whole batch are told, each step its own.
    BatchParams, BATCH_PARAMS {
    /// Rows to prepare or project, words of a gradient to store, records to add up.
    length: u32,
    /// How many of them a workgroup takes.
    span: u32,
    /// Elements of the gradient.
    elements: u32,
    /// Elements and quads of a row.
    dimensions: u32,
    quads: u32,
    /// Rows and columns of the panel, and from one row to the next.
    rows: u32,
    columns: u32,
    stride: u32,
    /// From the panel's first plane to its second, and from one plane of the lists to the next.
    plane: u32,
    list: u32,
    /// The first row: of the panel, or of those to prepare or store. The first one that is a column.
    first_row: u32,
    first_column: u32,
    /// The number that the panel's first row has as an anchor.
    first_item: u32,
    /// Rows of one view.
    half: u32,
    /// Rows that get gradients from others: how many, and the first.
    receivers: u32,
    first_receiver: u32,
    /// The same of those that give.
    givers: u32,
    first_giver: u32,
    /// How many of them are a part, and how many parts there are.
    part: u32,
    parts: u32,
    /// Where the sums go: rows of quads, and behind all of them one number a row.
    first_sum: u32,
    first_radial: u32,
    /// 1 where they are added to what is there.
    adds: u32,
    /// Of a step of the sorting: the lowest bit of its digit, and the lists it takes and leaves.
    shift: u32,
    from_list: u32,
    to_list: u32,
    /// What similarities are multiplied with.
    value_scale: f32,
    /// The share of a direction of comparison in an item's loss, and whether it counts the items.
    direction: f32,
    counts: u32,
    /// 0 where one upstream value is for all items, 1 where each has its own.
    upstream_stride: u32,
    /// What gradients are multiplied with.
    scale: f32,
    /// 1 where the divisor is what anchors add up to, items or with `weighted` their weights.
    measured: u32,
    weighted: u32,
    /// The divisor elsewhere.
    divisor: f32,
}
}

/// The uniform of `shaders/drivers/finalize.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct FinalizeParams {
    pub partials: u32,
    pub measured: u32,
    pub divisor: f32,
    pub pixel_weight: f32,
    pub score_weight: f32,
}

/// The header of a loss's kernels.
pub(crate) fn header(variant: &LossVariant, bindings: &[Binding]) -> String {
    let mut header = Header::default();
    header.params(FIXED_PARAMS, variant.loss.0.params);
    header.compiled(variant);
    for (number, binding) in bindings.iter().enumerate() {
        header.binding(number, binding, variant);
    }
    match variant.loss.0.driver {
        Driver::Elementwise => header.elementwise(variant),
        Driver::Rows(rows) => header.rows(variant, rows),
        Driver::Regions(regions) => header.regions(variant, regions, bindings),
        Driver::Boxes => header.boxes(variant),
        Driver::Pairs => header.pairs(variant),
        Driver::AllPairs(_) => unreachable!("its kernels have headers of their own"),
    }
    header.text
}

/// The text so far.
#[derive(Default)]
pub(crate) struct Header {
    pub text: String,
}

/// Appends one formatted line.
macro_rules! line {
    ($header:expr, $($format:tt)*) => {{
        let _ = writeln!($header.text, $($format)*);
    }};
}

impl Header {
    pub fn params(&mut self, fixed: &[(&str, &str)], params: &[Param]) {
        line!(self, "struct Params {{");
        for (name, ty) in fixed {
            line!(self, "    {name}: {ty},");
        }
        for param in params {
            line!(self, "    {}: {},", param.member(), param.default.wgsl_type());
        }
        line!(self, "}}");
    }

    /// What the kernel is compiled for, and the numbers that stand for words.
    pub fn compiled(&mut self, variant: &LossVariant) {
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
            Role::Loss => {
                let quads = variant.stores_losses_in_quads();
                let ty = if quads { "array<vec4<f32>>" } else { "array<f32>" };
                (format!("storage, {access}"), "loss_of_item".to_string(), ty)
            }
            Role::LogSumExp => (format!("storage, {access}"), "log_sum_exp_of_row".to_string(), "array<f32>"),
            Role::Argmax => (format!("storage, {access}"), "argmax_of_row".to_string(), "array<i32>"),
            Role::Rows => (format!("storage, {access}"), "rows".to_string(), "array<Row>"),
            Role::Regions => (format!("storage, {access}"), "records".to_string(), "array<Region>"),
            Role::Workspace => (format!("storage, {access}"), "workspace".to_string(), "Workspace"),
            Role::Batch(_) | Role::Tensor(_) | Role::HardestPositive | Role::HardestNegative => {
                unreachable!("kernels of a whole batch have headers of their own")
            }
        };
        line!(self, "@group(0) @binding({number}) var<{space}> {name}: {ty};");
    }

    /// Items are elements, four at a time: what `shaders/drivers/elementwise.wgsl` lists.
    fn elementwise(&mut self, variant: &LossVariant) {
        let spec = variant.loss.0;
        // What the hook takes: every input but the weight, which the driver applies.
        let hooked: Vec<&Input> = spec.inputs.iter().filter(|input| input.name != WEIGHT.name).collect();
        let outcomes = spec.differentiable().count() + 1;
        let parts: Vec<usize> = (0..outcomes).collect();

        line!(self, "struct Items {{");
        for input in &hooked {
            line!(self, "    {}_values: vec4<f32>,", input.name);
        }
        line!(self, "}}");
        line!(self, "alias Outcomes = mat{outcomes}x4<f32>;");

        for input in spec.all_inputs() {
            self.load_quads_of(input, variant);
        }
        line!(self, "fn load_items(quad: u32) -> Items {{");
        line!(self, "    return Items({});\n}}", list(&hooked, |input| format!("load_{}(quad)", input.name)));

        line!(self, "fn hook(items: Items) -> Outcomes {{");
        let hook = |part: &char| {
            format!("loss_and_grad({})", list(&hooked, |input| format!("items.{}_values.{part}", input.name)))
        };
        line!(self, "    return transpose(mat4x{outcomes}<f32>({}));\n}}", list(&PARTS, hook));

        // No loop over the parts: those cost CPU adapters more than what is in them.
        let given = "inputs: vec4<u32>, offends: vec4<bool>, weight: vec4<f32>, slope: vec4<f32>";
        line!(self, "fn finished(outcomes: Outcomes, {given}) -> Outcomes {{");
        let part = |part: &usize| {
            format!("finished_part(outcomes[{part}], inputs, offends, {})", if *part == 0 { "weight" } else { "slope" })
        };
        line!(self, "    return Outcomes({});\n}}", list(&parts, part));

        line!(self, "fn unsigned_bits(items: Items) -> vec4<u32> {{\n    var largest = vec4<u32>();");
        for input in &hooked {
            let bits = format!("bitcast<vec4<u32>>(items.{}_values)", input.name);
            line!(self, "    largest = max(largest, {bits} << vec4<u32>(1u));");
        }
        line!(self, "    return largest;\n}}");

        let check = |part: &char| {
            let check = |input: &&Input| domain_check(input.domain, &format!("items.{}_values.{part}", input.name));
            hooked.iter().filter_map(check).collect::<Vec<_>>().join(" && ")
        };
        let checked = !check(&'x').is_empty();
        line!(self, "const CHECKED: bool = {checked};");
        line!(self, "fn in_domain(items: Items) -> vec4<bool> {{");
        line!(self, "    return vec4<bool>({});\n}}", if checked { list(&PARTS, check) } else { "true".to_string() });

        self.store_outcomes(variant);
    }

    /// `load_<input>(quad)`: four values of an input; 1 where it was left out.
    fn load_quads_of(&mut self, input: &Input, variant: &LossVariant) {
        line!(self, "fn load_{}(quad: u32) -> vec4<f32> {{", input.name);
        let name = variant.stored_name(input);
        let values = match (variant.dtype(input.name), input.shape) {
            (None, _) => "vec4<f32>(1.0)".to_string(),
            (Some(dtype), Shape::LastAxis) => {
                line!(self, "    let x = (params.last_axis_start + 4u * quad) % params.last_axis;");
                for (place, before) in [("y", "x"), ("z", "y"), ("w", "z")] {
                    line!(self, "    let {place} = select({before} + 1u, 0u, {before} + 1u == params.last_axis);");
                }
                format!("vec4<f32>({})", list(&PARTS, |place| element(&name, dtype, &place.to_string())))
            }
            (Some(dtype), Shape::OneOrItems) => {
                let place = |i: &u32| format!("{} * params.upstream_stride", place_of(*i));
                format!("vec4<f32>({})", list(&[0, 1, 2, 3], |i| element(&name, dtype, &place(i))))
            }
            (Some(dtype), _) => quad_of(&name, dtype, variant.has_quads_of(input.name)),
        };
        line!(self, "    return vec4<f32>({values});\n}}");
    }

    /// `store(quad, outcomes)` for a whole quad, `store_rest(quad, outcomes)` for one that is not: the losses where each is
    /// wanted, and the gradients.
    fn store_outcomes(&mut self, variant: &LossVariant) {
        let (mut store, mut store_rest) = (String::new(), String::new());
        let mut stored = |header: &mut Header, name: &str, dtype, adds, quads, part: usize| {
            header.store_quad(&format!("store_{name}"), name, dtype, adds, quads);
            header.store_rest(&format!("store_rest_of_{name}"), name, dtype, adds, quads);
            let _ = writeln!(store, "    store_{name}(quad, outcomes[{part}]);");
            let _ = writeln!(store_rest, "    store_rest_of_{name}(quad, outcomes[{part}]);");
        };
        if variant.per_item {
            stored(self, "loss_of_item", DType::F32, false, variant.stores_losses_in_quads(), 0);
        }
        if variant.gradients != GradientStore::Skip {
            let differentiable = variant.loss.0.differentiable();
            for (part, input) in (1..).zip(differentiable) {
                if let Some(dtype) = variant.dtype(input.name) {
                    let (adds, quads) = (variant.gradients == GradientStore::Add, variant.has_quads_of(input.name));
                    stored(self, &format!("grad_{}", input.name), dtype, adds, quads, part);
                }
            }
        }
        line!(self, "fn store(quad: u32, outcomes: Outcomes) {{\n{store}}}");
        line!(self, "fn store_rest(quad: u32, outcomes: Outcomes) {{\n{store_rest}}}");
    }

    /// `<function>(quad, values)`, which stores four elements or adds to them.
    fn store_quad(&mut self, function: &str, name: &str, dtype: DType, adds: bool, quads: bool) {
        line!(self, "fn {function}(quad: u32, values: vec4<f32>) {{");
        self.stored_words(name, dtype, adds, quads);
        if quads {
            line!(self, "    {name}[quad] = words;");
        } else {
            for (i, place) in words_of(name, dtype, quads) {
                line!(self, "    {place} = words[{i}];");
            }
        }
        line!(self, "}}");
    }

    /// The same for those of the four that are before the end. What is behind it is not ours and stays.
    fn store_rest(&mut self, function: &str, name: &str, dtype: DType, adds: bool, quads: bool) {
        line!(self, "fn {function}(quad: u32, values: vec4<f32>) {{");
        self.stored_words(name, dtype, adds, quads);
        line!(self, "    let rest = params.length - 4u * quad;");
        for (i, place) in words_of(name, dtype, quads) {
            if dtype.is_half() {
                line!(self, "    if (rest > {}u) {{\n        {place} = words[{i}];", 2 * i + 1);
                line!(self, "    }} else if (rest > {}u) {{", 2 * i);
                line!(self, "        {place} = (words[{i}] & 0xffffu) | ({place} & 0xffff0000u);\n    }}");
            } else {
                line!(self, "    if (rest > {i}u) {{\n        {place} = words[{i}];\n    }}");
            }
        }
        line!(self, "}}");
    }

    /// The statement that makes `words`, what four elements become, of `values`.
    fn stored_words(&mut self, name: &str, dtype: DType, adds: bool, quads: bool) {
        let sum = if adds { format!("values + {}", quad_of(name, dtype, quads)) } else { "values".to_string() };
        if dtype.is_half() {
            line!(self, "    let sum = {sum};");
            line!(self, "    let words = vec2<u32>(pack_{dtype}(sum.xy), pack_{dtype}(sum.zw));");
        } else {
            line!(self, "    let words = {sum};");
        }
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
            ("ALIGNED", variant.quads == Quads::Aligned),
            ("IN_PLACE", variant.gradients == GradientStore::InPlace),
            ("MEAN_OVER_CLASS_WEIGHTS", rows.mean_over == MeanOver::ClassWeights),
        ] {
            line!(self, "const {name}: bool = {value};");
        }
        if let Some(RowLayout::Workgroup { cache, .. }) = layout {
            line!(self, "const ROW_CACHE: u32 = {cache}u;");
        }

        self.load_first(variant, first);
        self.load_quad("first", Some(first), variant);
        self.load_quad("second", second, variant);
        self.load_upstream_quad(variant);
        self.load_element("second", "f32", second, variant, "index", "1.0");
        self.load_element("class_weight", "f32", Some(&CLASS_WEIGHT), variant, "index", "1.0");
        self.load_element("target", "i32", labels, variant, "index", "0");
        self.load_element("weight", "f32", Some(&WEIGHT), variant, "index", "1.0");
        self.load_element("upstream", "f32", Some(&UPSTREAM), variant, "(index * params.upstream_stride)", "1.0");

        self.is_ignored(spec);
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
        self.store_values(variant, variant.per_item && rows.per_class);
        self.store("log_sum_exp", "f32", "log_sum_exp_of_row", statistics.log_sum_exp);
        self.store("argmax", "i32", "argmax_of_row", statistics.argmax);
        self.put_gradients(variant, first);
    }

    /// Scores are of regions: what `shaders/lib/pixels.wgsl` or `drivers/score_regions.wgsl` lists, as its kernel binds what
    /// it is about.
    fn regions(&mut self, variant: &LossVariant, regions: Regions, bindings: &[Binding]) {
        let spec = variant.loss.0;
        let (first, target) = (&spec.inputs[0], &spec.inputs[1]);
        self.load_element("class_weight", "f32", Some(&CLASS_WEIGHT), variant, "index", "1.0");
        let is_bound =
            |name| bindings.iter().any(|binding| matches!(binding.role, Role::Input { input, .. } if input == name));
        if !is_bound(target.name) {
            self.load_element("upstream", "f32", Some(&UPSTREAM), variant, "(index * params.upstream_stride)", "1.0");
            self.store("loss", "f32", "loss_of_item", variant.per_item);
            return;
        }
        let Some(layout) = variant.regions else { return };
        let has_activation = spec.params.iter().any(|param| param.name == "activation");
        let activated = |name: &str, default: bool| match has_activation {
            true => format!("COMPILED_ACTIVATION == ACTIVATION_{name}"),
            false => default.to_string(),
        };
        let is_index = variant.dtype(target.name) == Some(DType::I32);
        line!(self, "const STRIP: u32 = {}u;", layout.strip);
        for (name, value) in [
            ("STRIPS", layout.strips.to_string()),
            ("SOFTMAX", activated("SOFTMAX", true)),
            ("SIGMOID", activated("SIGMOID", false)),
            ("CHECKS_PREDICTION", activated("NONE", false)),
            ("INDEX_TARGET", is_index.to_string()),
            ("CHECKS_WEIGHT", variant.dtype(CLASS_WEIGHT.name).is_some().to_string()),
            ("MASS_OF_WEIGHTS", regions.terms.is_some_and(|t| t.mean_over == MeanOver::ClassWeights).to_string()),
        ] {
            line!(self, "const {name}: bool = {value};");
        }
        self.load_first(variant, first);
        let (labels, values) = if is_index { (Some(target), None) } else { (None, Some(target)) };
        self.load_element("target", "i32", labels, variant, "index", "0");
        self.load_element("second", "f32", values, variant, "index", "1.0");
        self.is_ignored(spec);
        self.put_gradients(variant, first);
    }

    /// `load_first(index)`: one value of the first input, which its gradient may be about to overwrite.
    fn load_first(&mut self, variant: &LossVariant, first: &Input) {
        let is_atomic = variant.stores_atomically() && variant.gradients == GradientStore::InPlace;
        let value = match variant.dtype(first.name) {
            Some(dtype) if is_atomic => {
                format!("unpack_{dtype}(atomicLoad(&grad_{}[index / 2u]))[index % 2u]", first.name)
            }
            Some(dtype) => variant.element(first, dtype, "index"),
            None => "0.0".to_string(),
        };
        line!(self, "fn load_first(index: u32) -> f32 {{\n    return {value};\n}}");
    }

    /// `is_ignored(label)`.
    fn is_ignored(&mut self, spec: &LossSpec) {
        let ignores = spec.params.iter().any(|param| param.name == "ignore_index");
        let ignored = if ignores { "label == params.ignore_index" } else { "false" };
        line!(self, "fn is_ignored(label: i32) -> bool {{\n    return {ignored};\n}}");
    }

    /// Items are boxes, each a quad: what `shaders/drivers/boxes.wgsl` lists.
    fn boxes(&mut self, variant: &LossVariant) {
        let spec = variant.loss.0;
        for input in spec.inputs.iter().filter(|input| input.shape == Shape::Boxes) {
            self.load_quads_of(input, variant);
        }
        self.load_element("weight", "f32", Some(&WEIGHT), variant, "index", "1.0");
        self.load_element("upstream", "f32", Some(&UPSTREAM), variant, "(index * params.upstream_stride)", "1.0");
        self.store("loss", "f32", "loss_of_item", variant.per_item);
        match spec.differentiable().next().and_then(|input| Some((input, variant.dtype(input.name)?))) {
            Some((input, dtype)) if variant.gradients != GradientStore::Skip => {
                let adds = variant.gradients == GradientStore::Add;
                self.store_quad("store_gradient", &format!("grad_{}", input.name), dtype, adds, true);
            }
            _ => line!(self, "fn store_gradient(quad: u32, values: vec4<f32>) {{}}"),
        }
    }

    /// Items are of an embedding of each input: what `shaders/drivers/pairs.wgsl` lists.
    fn pairs(&mut self, variant: &LossVariant) {
        let spec = variant.loss.0;
        let embeddings: Vec<&Input> = spec.differentiable().collect();
        let label = spec.inputs.iter().find(|input| input.kind == Kind::Label);
        if spec.params.iter().all(|param| param.name != "distance") {
            for (number, name) in Distance::NAMES.iter().enumerate() {
                line!(self, "const DISTANCE_{}: u32 = {number}u;", name.to_uppercase());
            }
        }
        for (name, value) in [
            ("ALIGNED", variant.quads == Quads::Aligned),
            ("GRADIENTS", variant.gradients != GradientStore::Skip),
            ("THIRD", embeddings.len() > 2),
        ] {
            line!(self, "const {name}: bool = {value};");
        }

        line!(self, "fn load_quad(quad: u32, row: Row) -> Quad {{");
        line!(self, "    let places = clamp(places_of(quad), vec4<u32>(row.begin), vec4<u32>(row.end - 1u));");
        let values = |input: &&Input| match variant.dtype(input.name) {
            Some(dtype) if variant.has_quads_of(input.name) => quad_of(&variant.stored_name(input), dtype, true),
            Some(dtype) => {
                format!("vec4<f32>({})", list(&PARTS, |part| variant.element(input, dtype, &format!("places.{part}"))))
            }
            None => "vec4<f32>()".to_string(),
        };
        let third = if embeddings.len() > 2 { "" } else { ", vec4<f32>()" };
        line!(self, "    return Quad({}{third});\n}}", list(&embeddings, values));

        let mut put_gradients = String::new();
        for (input, part) in embeddings.iter().zip(["first", "second", "third"]) {
            let Some(dtype) = variant.dtype(input.name).filter(|_| variant.gradients != GradientStore::Skip) else {
                continue;
            };
            let (adds, quads) = (variant.gradients == GradientStore::Add, variant.has_quads_of(input.name));
            let name = format!("grad_{}", input.name);
            if quads {
                self.store_quad(&format!("put_{part}"), &name, dtype, adds, quads);
                let _ = writeln!(put_gradients, "    put_{part}(quad, gradients.{part});");
            } else {
                self.put_inside(&format!("put_{part}"), &name, dtype, adds);
                let _ = writeln!(put_gradients, "    put_{part}(quad, inside, gradients.{part});");
            }
        }
        line!(self, "fn put_gradients(quad: u32, inside: vec4<bool>, gradients: Quad) {{\n{put_gradients}}}");

        let is_label =
            label.and_then(|label| domain_check(label.domain, "label")).unwrap_or_else(|| "true".to_string());
        line!(self, "fn is_label(label: f32) -> bool {{\n    return {is_label};\n}}");
        self.load_element("label", "f32", label, variant, "index", "1.0");
        self.load_element("weight", "f32", Some(&WEIGHT), variant, "index", "1.0");
        self.load_element("upstream", "f32", Some(&UPSTREAM), variant, "(index * params.upstream_stride)", "1.0");
        self.store("loss", "f32", "loss_of_item", variant.per_item);
    }

    /// `<function>(quad, inside, values)`, which stores or adds those of four elements that are inside a row. What else is
    /// in their words stays.
    fn put_inside(&mut self, function: &str, name: &str, dtype: DType, adds: bool) {
        line!(self, "fn {function}(quad: u32, inside: vec4<bool>, values: vec4<f32>) {{");
        if dtype.is_half() {
            for (i, parts) in ["xy", "zw"].into_iter().enumerate() {
                let place = format!("{name}[2u * quad + {i}u]");
                let old = if adds { format!(" + unpack_{dtype}({place})") } else { String::new() };
                line!(self, "    if (any(inside.{parts})) {{");
                line!(
                    self,
                    "        let halves = select(vec2<u32>(), vec2<u32>(0xffffu, 0xffff0000u), inside.{parts});"
                );
                line!(self, "        let ours = halves.x | halves.y;");
                line!(self, "        let word = pack_{dtype}(values.{parts}{old});");
                line!(self, "        {place} = (word & ours) | ({place} & ~ours);\n    }}");
            }
        } else {
            let operator = if adds { "+=" } else { "=" };
            for (i, part) in PARTS.iter().enumerate() {
                line!(
                    self,
                    "    if (inside.{part}) {{\n        {name}[4u * quad + {i}u] {operator} values.{part};\n    }}"
                );
            }
        }
        line!(self, "}}");
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
        line!(self, "fn load_{name}(index: u32) -> {ty} {{\n    return {ty}({value});\n}}");
    }

    /// `load_<name>(index)`: one value of a tensor that is bound element by element, or a default where there is none.
    pub fn load(&mut self, name: &str, ty: &str, dtype: Option<DType>, tensor: &str, index: &str, default: &str) {
        let value = dtype.map_or_else(|| default.to_string(), |dtype| element(tensor, dtype, index));
        line!(self, "fn load_{name}(index: u32) -> {ty} {{\n    return {value};\n}}");
    }

    /// `load_<name>_quad(quad)`: four values of an input at once, where its tensor is bound for that.
    fn load_quad(&mut self, name: &str, input: Option<&Input>, variant: &LossVariant) {
        let given = input.and_then(|input| Some((input, variant.dtype(input.name)?)));
        let value = match given {
            Some((input, dtype)) if variant.has_quads_of(input.name) => {
                quad_of(&variant.stored_name(input), dtype, true)
            }
            _ => "vec4<f32>(1.0)".to_string(),
        };
        line!(self, "fn load_{name}_quad(quad: u32) -> vec4<f32> {{\n    return {value};\n}}");
    }

    /// `load_upstream_quad(quad)`: the same of a value's upstream for each class, or one for all.
    fn load_upstream_quad(&mut self, variant: &LossVariant) {
        line!(self, "fn load_upstream_quad(quad: u32) -> vec4<f32> {{");
        match variant.dtype(UPSTREAM.name) {
            Some(dtype) if variant.has_quads_of(UPSTREAM.name) => {
                line!(
                    self,
                    "    if (params.upstream_stride == 0u) {{\n        return vec4<f32>(load_upstream(0u));\n    }}"
                );
                line!(self, "    return {};", quad_of(&variant.stored_name(&UPSTREAM), dtype, true));
            }
            _ => line!(self, "    return vec4<f32>(1.0);"),
        }
        line!(self, "}}");
    }

    /// `store_value(index, value)` and `store_value_quad(quad, values)` of each class.
    fn store_values(&mut self, variant: &LossVariant, wanted: bool) {
        let quads = variant.stores_losses_in_quads();
        let place = if quads { "loss_of_item[index / 4u][index % 4u]" } else { "loss_of_item[index]" };
        line!(self, "fn store_value(index: u32, value: f32) {{");
        if wanted {
            line!(self, "    {place} = value;");
        }
        line!(self, "}}\nfn store_value_quad(quad: u32, values: vec4<f32>) {{");
        if wanted && quads {
            line!(self, "    loss_of_item[quad] = values;");
        }
        line!(self, "}}");
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
        if let (Some(dtype), true) = (variant.dtype(first.name), quads) {
            self.store_quad("put_gradient_quad", &name, dtype, add, quads);
        }
        let old = |there: String| if add { format!(" + {there}") } else { String::new() };
        let Some(dtype) = half else {
            let operator = if add { "+=" } else { "=" };
            let place = if quads { format!("{name}[index / 4u][index % 4u]") } else { format!("{name}[index]") };
            line!(self, "fn put_gradient(index: u32, value: f32) {{\n    {place} {operator} value;\n}}");
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
            (DType::I32, false) => "array<i32>",
            (DType::I32, true) => "array<vec4<i32>>",
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

/// The components of four values.
const PARTS: [char; 4] = ['x', 'y', 'z', 'w'];

/// An expression for each, with commas between.
fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// An expression for the place of an element of a quad; behind the last element, for its place.
fn place_of(i: u32) -> String {
    format!("min(4u * quad + {i}u, params.length - 1u)")
}

/// An expression for four elements of a tensor.
fn quad_of(name: &str, dtype: DType, quads: bool) -> String {
    match (dtype.is_half(), quads) {
        (false, true) => format!("{name}[quad]"),
        (true, true) => format!("vec4<f32>(unpack_{dtype}({name}[quad].x), unpack_{dtype}({name}[quad].y))"),
        (false, false) => format!("vec4({})", list(&[0, 1, 2, 3], |&i| element(name, dtype, &place_of(i)))),
        (true, false) => {
            let places = ["2u * quad", "min(2u * quad + 1u, (params.length - 1u) / 2u)"];
            format!("vec4<f32>({})", list(&places, |place| format!("unpack_{dtype}({name}[{place}])")))
        }
    }
}

/// The words that four elements are stored in: the number and the place of each.
fn words_of(name: &str, dtype: DType, quads: bool) -> impl Iterator<Item = (usize, String)> {
    let words = 4 * dtype.size() / size_of::<u32>();
    (0..words)
        .map(move |i| (i, if quads { format!("{name}[quad][{i}]") } else { format!("{name}[{words}u * quad + {i}u]") }))
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
        Domain::Similar => Some(format!("is_similar({value})")),
        Domain::Where(param, on, off) => {
            let side = |domain: &Domain| domain_check(*domain, value).unwrap_or_else(|| "true".to_string());
            let (on, off) = (side(on), side(off));
            (on != "true" || off != "true").then(|| format!("select({off}, {on}, params.{param} != 0u)"))
        }
        _ => None,
    }
}
