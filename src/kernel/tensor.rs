//! What a kernel binds, and the functions that load and store it.

use crate::DType;

/// A tensor, or memory of the call, as a kernel sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TensorView {
    /// Its name in WGSL.
    pub name: String,
    pub holds: Holds,
    pub access: Access,
    /// Whether four elements are one word of the array.
    pub quads: bool,
    /// Whether it lies in a buffer that is written too: then it is bound for writing, because wgpu tracks whole buffers.
    pub shared: bool,
}

/// What the words of an array are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holds {
    /// Elements of a storage type; halves are pairs in a word.
    Elements(DType),
    /// Values of a WGSL type.
    Values(&'static str),
    /// One value of a WGSL type in place of an array.
    One(&'static str),
}

/// What a kernel does with a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    Read,
    Write,
    /// Writes halves of words whose other halves other lanes write.
    Atomic,
}

impl TensorView {
    /// A tensor that is read element by element.
    pub fn read(name: impl Into<String>, dtype: DType) -> Self {
        TensorView::new(name, Holds::Elements(dtype), Access::Read)
    }

    /// A tensor that is written element by element.
    pub fn write(name: impl Into<String>, dtype: DType) -> Self {
        TensorView::new(name, Holds::Elements(dtype), Access::Write)
    }

    pub fn new(name: impl Into<String>, holds: Holds, access: Access) -> Self {
        TensorView { name: name.into(), holds, access, quads: false, shared: false }
    }

    /// The call's workspace.
    pub fn workspace(access: Access) -> Self {
        TensorView::new("workspace", Holds::One("Workspace"), access)
    }

    pub fn with_access(self, access: Access) -> Self {
        TensorView { access, ..self }
    }

    /// The tensor with four elements a word, or as it is.
    pub fn in_quads(self, quads: bool) -> Self {
        TensorView { quads, ..self }
    }

    pub fn is_writable(&self) -> bool {
        self.access != Access::Read
    }

    /// Whether it is bound for writing.
    pub fn is_bound_for_writing(&self) -> bool {
        self.shared || self.is_writable()
    }

    /// The storage type, of tensors that have one.
    pub fn dtype(&self) -> Option<DType> {
        match self.holds {
            Holds::Elements(dtype) => Some(dtype),
            Holds::Values(_) | Holds::One(_) => None,
        }
    }

    /// The name of the storage type, of the caller's tensors.
    pub fn storage(&self) -> Option<&'static str> {
        self.dtype().map(DType::name)
    }

    fn is_half(&self) -> bool {
        self.dtype().is_some_and(DType::is_half)
    }

    /// Its declaration in WGSL, without the number of its binding.
    pub fn declaration(&self) -> String {
        let access = if self.is_bound_for_writing() { "read_write" } else { "read" };
        let ty = match (self.holds, self.quads) {
            _ if self.access == Access::Atomic => "array<atomic<u32>>".to_string(),
            (Holds::Elements(DType::F32), false) => "array<f32>".to_string(),
            (Holds::Elements(DType::F32), true) => "array<vec4<f32>>".to_string(),
            (Holds::Elements(DType::F16 | DType::BF16), false) => "array<u32>".to_string(),
            (Holds::Elements(DType::F16 | DType::BF16), true) => "array<vec2<u32>>".to_string(),
            (Holds::Elements(DType::I32), false) => "array<i32>".to_string(),
            (Holds::Elements(DType::I32), true) => "array<vec4<i32>>".to_string(),
            (Holds::Values(ty), _) => format!("array<{ty}>"),
            (Holds::One(ty), _) => ty.to_string(),
        };
        format!("var<storage, {access}> {}: {ty};", self.name)
    }

    /// An expression for the element at an index.
    pub fn element(&self, index: &str) -> String {
        let name = &self.name;
        let dtype = self.dtype().unwrap_or(DType::F32);
        match (self.quads, dtype.is_half()) {
            _ if self.access == Access::Atomic => {
                format!("unpack_{dtype}(atomicLoad(&{name}[({index}) / 2u]))[({index}) % 2u]")
            }
            (false, _) => element(name, dtype, index),
            (true, false) => format!("{name}[({index}) / 4u][({index}) % 4u]"),
            (true, true) => {
                format!("unpack_{dtype}({name}[({index}) / 4u][({index}) / 2u % 2u])[({index}) % 2u]")
            }
        }
    }

    /// An expression for the four elements of `quad`.
    pub fn quad(&self) -> String {
        quad_of(&self.name, self.dtype().unwrap_or(DType::F32), self.quads)
    }

    /// The words that the four elements of `quad` are stored in: the number and the place of each.
    fn words(&self) -> impl Iterator<Item = (usize, String)> {
        let words = if self.is_half() { 2 } else { 4 };
        let (name, quads) = (self.name.clone(), self.quads);
        (0..words).map(move |i| {
            (i, if quads { format!("{name}[quad][{i}]") } else { format!("{name}[{words}u * quad + {i}u]") })
        })
    }
}

/// The components of four values.
pub(crate) const PARTS: [char; 4] = ['x', 'y', 'z', 'w'];

/// An expression for each, with commas between.
pub(crate) fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// An expression for the place of an element of a quad; behind the last element, for its place.
fn place_of(i: u32) -> String {
    format!("min(4u * quad + {i}u, call.length - 1u)")
}

/// An expression for four elements of a tensor.
fn quad_of(name: &str, dtype: DType, quads: bool) -> String {
    match (dtype.is_half(), quads) {
        (false, true) => format!("{name}[quad]"),
        (true, true) => format!("vec4<f32>(unpack_{dtype}({name}[quad].x), unpack_{dtype}({name}[quad].y))"),
        (false, false) => format!("vec4({})", list(&[0, 1, 2, 3], |&i| element(name, dtype, &place_of(i)))),
        (true, false) => {
            let places = ["2u * quad", "min(2u * quad + 1u, (call.length - 1u) / 2u)"];
            format!("vec4<f32>({})", list(&places, |place| format!("unpack_{dtype}({name}[{place}])")))
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

/// Functions that load and store tensors for the files of a kernel.
#[derive(Debug, Default)]
pub(crate) struct Glue(pub String);

/// Appends one formatted line.
macro_rules! line {
    ($glue:expr, $($format:tt)*) => {{
        use std::fmt::Write as _;
        let _ = writeln!($glue.0, $($format)*);
    }};
}
pub(crate) use line;

impl Glue {
    /// `load_<name>(index)`: one value of a tensor, or a default where it was left out.
    pub fn load(&mut self, name: &str, ty: &str, tensor: Option<&TensorView>, index: &str, default: &str) {
        let value = tensor.map_or_else(|| default.to_string(), |tensor| tensor.element(index));
        line!(self, "fn load_{name}(index: u32) -> {ty} {{\n    return {ty}({value});\n}}");
    }

    /// `load_<name>_quad(quad)`: four values of a tensor at once, where it is bound for that.
    pub fn load_quad(&mut self, name: &str, tensor: Option<&TensorView>) {
        let quads = tensor.filter(|tensor| tensor.quads);
        let value = quads.map_or_else(|| "vec4<f32>(1.0)".to_string(), TensorView::quad);
        line!(self, "fn load_{name}_quad(quad: u32) -> vec4<f32> {{\n    return {value};\n}}");
    }

    /// `load_<name>(quad)`: four values of a tensor; 1 where it was left out.
    pub fn load_quads(&mut self, name: &str, tensor: Option<&TensorView>) {
        let values = tensor.map_or_else(|| "vec4<f32>(1.0)".to_string(), TensorView::quad);
        line!(self, "fn load_{name}(quad: u32) -> vec4<f32> {{\n    return vec4<f32>({values});\n}}");
    }

    /// `store_<name>(index, value)`, which does nothing where there is no such tensor.
    pub fn store(&mut self, name: &str, ty: &str, tensor: Option<&TensorView>) {
        line!(self, "fn store_{name}(index: u32, value: {ty}) {{");
        if let Some(tensor) = tensor {
            line!(self, "    {}[index] = value;", tensor.name);
        }
        line!(self, "}}");
    }

    /// `<function>(quad, values)`, which stores four elements or adds to them.
    pub fn store_quad(&mut self, function: &str, tensor: &TensorView, adds: bool) {
        line!(self, "fn {function}(quad: u32, values: vec4<f32>) {{");
        self.stored_words(tensor, adds);
        if tensor.quads {
            line!(self, "    {}[quad] = words;", tensor.name);
        } else {
            for (i, place) in tensor.words() {
                line!(self, "    {place} = words[{i}];");
            }
        }
        line!(self, "}}");
    }

    /// `<function>(quad, values)` for those of the four that are before the end. What is behind it is not ours and stays.
    pub fn store_rest(&mut self, function: &str, tensor: &TensorView, adds: bool) {
        line!(self, "fn {function}(quad: u32, values: vec4<f32>) {{");
        self.stored_words(tensor, adds);
        line!(self, "    let rest = call.length - 4u * quad;");
        for (i, place) in tensor.words() {
            if tensor.is_half() {
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
    fn stored_words(&mut self, tensor: &TensorView, adds: bool) {
        let sum = if adds { format!("values + {}", tensor.quad()) } else { "values".to_string() };
        match tensor.dtype().filter(|dtype| dtype.is_half()) {
            Some(dtype) => {
                line!(self, "    let sum = {sum};");
                line!(self, "    let words = vec2<u32>(pack_{dtype}(sum.xy), pack_{dtype}(sum.zw));");
            }
            None => line!(self, "    let words = {sum};"),
        }
    }

    /// `<function>(quad, inside, values)`, which stores or adds those of four elements that are inside a row. What else is
    /// in their words stays.
    pub fn put_inside(&mut self, function: &str, tensor: &TensorView, adds: bool) {
        line!(self, "fn {function}(quad: u32, inside: vec4<bool>, values: vec4<f32>) {{");
        let name = &tensor.name;
        if let Some(dtype) = tensor.dtype().filter(|dtype| dtype.is_half()) {
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

    /// `put_gradient(index, value)` for one element; of halves `put_gradients(word, values)` for two; and where four are
    /// bound together, `put_gradient_quad(quad, values)`. Without a tensor they do nothing.
    pub fn put_gradients(&mut self, tensor: Option<&TensorView>, adds: bool) {
        let Some(tensor) = tensor else {
            line!(self, "fn put_gradient(index: u32, value: f32) {{}}");
            line!(self, "fn put_gradient_quad(quad: u32, values: vec4<f32>) {{}}");
            return;
        };
        let (name, quads, atomic) = (&tensor.name, tensor.quads, tensor.access == Access::Atomic);
        if quads {
            self.store_quad("put_gradient_quad", tensor, adds);
        }
        // What is added to the values: what is there already, if they are not to replace it.
        let old = |there: String| if adds { format!(" + {there}") } else { String::new() };
        let Some(dtype) = tensor.dtype().filter(|dtype| dtype.is_half()) else {
            let operator = if adds { "+=" } else { "=" };
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
