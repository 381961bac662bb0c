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
    /// Whether it lies in a buffer that is written too: then it is bound for writing, because wgpu tracks whole
    /// buffers.
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
        match self.half() {
            Some(half) => format!("unpack_{half}({})[({index}) % 2u]", self.load(&self.word_of(index))),
            None => self.place(index),
        }
    }

    /// An expression for the four elements of `quad`.
    pub fn quad(&self) -> String {
        let name = &self.name;
        match (self.half(), self.quads) {
            (None, true) => format!("{name}[quad]"),
            (Some(half), true) => format!("quad_of_{half}({name}[quad])"),
            (None, false) => format!("vec4({})", list(&PLACES, |place| self.element(place))),
            (Some(half), false) => {
                let words = ["2u * quad", "min(2u * quad + 1u, (call.length - 1u) / 2u)"];
                format!("quad_of_{half}(vec2<u32>({}))", list(&words, |word| format!("{name}[{word}]")))
            }
        }
    }

    /// A statement that stores the element at an index, or adds to it.
    pub fn put(&self, index: &str, value: &str, adds: bool) -> String {
        let Some(half) = self.half() else {
            return format!("{} {} {value};", self.place(index), if adds { "+=" } else { "=" });
        };
        let old = if adds { format!(" + {}", self.element(index)) } else { String::new() };
        let (word, bits) = (self.word_of(index), format!("pack_{half}(vec2<f32>({value}{old}, 0.0))"));
        let there = self.load(&word);
        match self.access {
            Access::Atomic => format!("atomicXor(&{word}, change_of_half({there}, {index}, {bits}));"),
            Access::Read | Access::Write => format!("{word} = with_half({there}, {index}, {bits});"),
        }
    }

    /// A statement that stores the two halves of a word, or adds to them; the chosen ones only, if `chosen` says which.
    pub fn put_word(&self, word: &str, values: &str, chosen: Option<&str>, adds: bool) -> String {
        let half = self.half().unwrap_or("f16");
        let place = match self.quads {
            true => format!("{}[({word}) / 2u][({word}) % 2u]", self.name),
            false => format!("{}[{word}]", self.name),
        };
        let there = self.load(&place);
        let old = if adds { format!(" + unpack_{half}({there})") } else { String::new() };
        let halves = format!("pack_{half}({values}{old})");
        match (self.access, chosen) {
            (Access::Atomic, _) => format!("atomicStore(&{place}, {halves});"),
            (_, Some(chosen)) => format!("{place} = with_halves({there}, {halves}, {chosen});"),
            (_, None) => format!("{place} = {halves};"),
        }
    }

    /// Statements that store the four elements of `quad`, `values`, or add to them.
    pub fn put_quad(&self, adds: bool) -> String {
        let sum = if adds { format!("values + {}", self.quad()) } else { "values".to_string() };
        match (self.half(), self.quads) {
            (None, true) => format!("{}[quad] = {sum};", self.name),
            (Some(half), true) => format!("{}[quad] = words_of_{half}({sum});", self.name),
            (None, false) => {
                let put = |i: usize| self.put(&format!("4u * quad + {i}u"), &format!("values.{}", PARTS[i]), adds);
                [0, 1, 2, 3].map(put).join("\n    ")
            }
            (Some(_), false) => {
                let put =
                    |(i, parts)| self.put_word(&format!("2u * quad + {i}u"), &format!("values.{parts}"), None, adds);
                [(0, "xy"), (1, "zw")].map(put).join("\n    ")
            }
        }
    }

    /// The storage type, where two elements share a word.
    pub fn half(&self) -> Option<&'static str> {
        self.dtype().filter(|dtype| dtype.is_half()).map(DType::name)
    }

    /// Where an element that has a word of its own lies.
    fn place(&self, index: &str) -> String {
        match self.quads {
            true => format!("{}[({index}) / 4u][({index}) % 4u]", self.name),
            false => format!("{}[{index}]", self.name),
        }
    }

    /// Where the word of a half lies.
    fn word_of(&self, index: &str) -> String {
        match self.quads {
            true => format!("{}[({index}) / 4u][({index}) / 2u % 2u]", self.name),
            false => format!("{}[({index}) / 2u]", self.name),
        }
    }

    /// The word at a place.
    fn load(&self, place: &str) -> String {
        if self.access == Access::Atomic { format!("atomicLoad(&{place})") } else { place.to_string() }
    }
}

/// The components of four values.
pub(crate) const PARTS: [char; 4] = ['x', 'y', 'z', 'w'];

/// The places of the elements of a quad; behind the last element, its place.
const PLACES: [&str; 4] = [
    "min(4u * quad, call.length - 1u)",
    "min(4u * quad + 1u, call.length - 1u)",
    "min(4u * quad + 2u, call.length - 1u)",
    "min(4u * quad + 3u, call.length - 1u)",
];

/// An expression for each, with commas between.
pub(crate) fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}
