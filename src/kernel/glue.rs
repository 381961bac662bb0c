//! The functions by which a kernel's files load and store its tensors: one line each.

use super::{TensorView, tensor::PARTS};

/// Functions in WGSL.
#[derive(Clone, Debug, Default)]
pub(crate) struct Glue(pub String);

impl Glue {
    /// A function that gives a value.
    pub fn function(&mut self, signature: &str, value: &str) {
        self.procedure(signature, &format!("return {value};"));
    }

    /// A function that does something, or nothing.
    pub fn procedure(&mut self, signature: &str, statements: &str) {
        let body = if statements.is_empty() { String::new() } else { format!("\n    {statements}\n") };
        self.declare(&format!("fn {signature} {{{body}}}"));
    }

    /// A declaration.
    pub fn declare(&mut self, declaration: &str) {
        self.0 += declaration;
        self.0.push('\n');
    }

    /// `load_<name>(index)`: one value of a tensor, or a default where it was left out.
    pub fn load(&mut self, name: &str, ty: &str, tensor: Option<&TensorView>, index: &str, default: &str) {
        let value = tensor.map_or_else(|| default.to_string(), |tensor| tensor.element(index));
        self.function(&format!("load_{name}(index: u32) -> {ty}"), &format!("{ty}({value})"));
    }

    /// `<function>(quad)`: four values of a tensor, or a default where there is none.
    pub fn load_quad(&mut self, function: &str, tensor: Option<&TensorView>, default: &str) {
        let values = tensor.map_or_else(|| default.to_string(), TensorView::quad);
        self.function(&format!("{function}(quad: u32) -> vec4<f32>"), &format!("vec4<f32>({values})"));
    }

    /// `store_<name>(index, value)`, where `index` is in the tensor; it does nothing where there is none.
    pub fn store(&mut self, name: &str, ty: &str, tensor: Option<&TensorView>, index: &str) {
        let store = tensor.map_or_else(String::new, |tensor| tensor.put(index, "value", false));
        self.procedure(&format!("store_{name}(index: u32, value: {ty})"), &store);
    }

    /// `<function>(index, value)`, which stores one element of a tensor or adds to it.
    pub fn put(&mut self, function: &str, tensor: &TensorView, adds: bool) {
        self.procedure(&format!("{function}(index: u32, value: f32)"), &tensor.put("index", "value", adds));
    }

    /// `<function>(quad, values)`, which stores four elements or adds to them; without a tensor it does nothing.
    pub fn put_quad(&mut self, function: &str, tensor: Option<&TensorView>, adds: bool) {
        let put = tensor.map_or_else(String::new, |tensor| tensor.put_quad(adds));
        self.procedure(&format!("{function}(quad: u32, values: vec4<f32>)"), &put);
    }

    /// `<function>(quad, inside, values)`, which stores or adds those of four elements that are inside a row. What else
    /// is in their words stays.
    pub fn put_inside(&mut self, function: &str, tensor: &TensorView, adds: bool) {
        let put = match tensor.half() {
            Some(_) => [(0, "xy"), (1, "zw")].map(|(i, parts)| {
                let (word, chosen) = (format!("2u * quad + {i}u"), format!("inside.{parts}"));
                let put = tensor.put_word(&word, &format!("values.{parts}"), Some(&chosen), adds);
                format!("if (any({chosen})) {{ {put} }}")
            }),
            None => [0, 2].map(|first| {
                let put = |i: usize| {
                    let put = tensor.put(&format!("4u * quad + {i}u"), &format!("values.{}", PARTS[i]), adds);
                    format!("if (inside.{}) {{ {put} }}", PARTS[i])
                };
                format!("{}\n    {}", put(first), put(first + 1))
            }),
        };
        let signature = format!("{function}(quad: u32, inside: vec4<bool>, values: vec4<f32>)");
        self.procedure(&signature, &put.join("\n    "));
    }

    /// `put_gradient(index, value)` for one element and `put_gradients(word, values)` for two halves of a word. Without
    /// a tensor they do nothing.
    pub fn put_gradients(&mut self, tensor: Option<&TensorView>, adds: bool) {
        let one = tensor.map_or_else(String::new, |tensor| tensor.put("index", "value", adds));
        let halves = tensor.filter(|tensor| tensor.half().is_some());
        let two = halves.map_or_else(String::new, |tensor| tensor.put_word("word", "values", None, adds));
        self.procedure("put_gradient(index: u32, value: f32)", &one);
        self.procedure("put_gradients(word: u32, values: vec2<f32>)", &two);
    }
}
