//! What is wrong with a kernel's text, and where in the files that it is made of.

#[cfg(not(target_arch = "wasm32"))]
use wgpu::naga::{Module, Span, front::wgsl, valid};

use super::{Text, text::Place};

/// What a compiler has against a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub place: Place<'static>,
    /// The compiler's words.
    pub message: String,
}

impl Text {
    /// What is wrong with the text, if anything is that is known here: a browser's compiler tells only itself.
    pub fn fault(&self) -> Option<Fault> {
        #[cfg(not(target_arch = "wasm32"))]
        return self.module().err();
        #[cfg(target_arch = "wasm32")]
        return None;
    }

    /// The module of the text; or what naga has against it.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn module(&self) -> Result<Module, Fault> {
        self.validated().map(|(module, _)| module)
    }

    /// The module of the text with what naga's back ends need to know of it; or what naga has against it.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn validated(&self) -> Result<(Module, valid::ModuleInfo), Fault> {
        let module = wgsl::parse_str(&self.source).map_err(|error| {
            let label = error.labels().next();
            let place = self.place_of(label.map(|(span, _)| span));
            // What the message does not say yet, if it is a word of its own.
            let said = label.map(|(_, said)| said).filter(|said| !error.message().contains(said) && *said != "see msg");
            // To switch on what is not there is no advice for a part of a text.
            let notes = error.notes().filter(|note| !note.starts_with("You can enable this extension"));
            Fault { place, message: without_numbers(&joined(error.message(), said.into_iter().chain(notes))) }
        })?;
        // Both are parts of WebGPU: subgroups where asked for, `unpack2x16float` always.
        let capabilities = valid::Capabilities::SUBGROUP | valid::Capabilities::SHADER_FLOAT16_IN_FLOAT32;
        let mut validator = valid::Validator::new(valid::ValidationFlags::all(), capabilities);
        validator.subgroup_stages(valid::ShaderStages::COMPUTE).subgroup_operations(valid::SubgroupOperationSet::all());
        match validator.validate(&module) {
            Ok(info) => Ok((module, info)),
            Err(error) => {
                // The others are what this is a part of.
                let length = |span: &Span| span.to_range().map_or(usize::MAX, |range| range.len());
                let place = self.place_of(error.spans().map(|(span, _)| *span).min_by_key(length));
                let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
                let causes: Vec<String> = causes.map(ToString::to_string).collect();
                let message = joined(&error.to_string(), causes.iter().map(String::as_str));
                Err(Fault { place, message: without_numbers(&message) })
            }
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn place_of(&self, span: Option<Span>) -> Place<'static> {
        self.place(span.and_then(Span::to_range).map_or(0, |range| range.start))
    }
}

/// A compiler's words without its own numbers of things, without what only says that a part of the text is meant, and
/// with types as WGSL writes them.
#[cfg(not(target_arch = "wasm32"))]
fn without_numbers(message: &str) -> String {
    let is_part = |part: &&str| {
        let begins =
            ["Function ", "Expression ", "Entry point ", "Call to "].iter().any(|begin| part.starts_with(begin));
        !(begins && part.ends_with(" is invalid"))
    };
    let mut said = message.split(": ").filter(is_part).collect::<Vec<_>>().join(": ");
    for (kind, width, name) in
        [("Float", 4, "f32"), ("Float", 8, "f64"), ("Sint", 4, "i32"), ("Uint", 4, "u32"), ("Bool", 1, "bool")]
    {
        let scalar = format!("Scalar {{ kind: {kind}, width: {width} }}");
        said = said.replace(&format!("Scalar({scalar})"), name).replace(&scalar, name);
    }
    // `[12]`, alone or as `Some([12])`; what is left of nothing is no word.
    let mut plain = String::new();
    for word in said.split(' ') {
        let inner = word.trim_start_matches("Some(").trim_end_matches([')', ',']);
        let number = inner.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
        let is_number = number.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_number && word != "None" {
            plain += if plain.is_empty() { "" } else { " " };
            plain += word;
        }
    }
    plain
}

/// What is said in several parts, as one line.
fn joined<'a>(first: &'a str, others: impl Iterator<Item = &'a str>) -> String {
    let parts: Vec<&str> = std::iter::once(first).chain(others).map(str::trim).collect();
    parts.join(": ").split_whitespace().collect::<Vec<_>>().join(" ")
}
