//! The uniform `call`: words that each step fills anew.

use std::borrow::Cow;

/// The words of a step's uniform `call`, by the names that its kernel's files use.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Block(Vec<(Cow<'static, str>, Word)>);

/// Name and WGSL type of a word.
pub(crate) type Member = (Cow<'static, str>, &'static str);

/// A word of a uniform.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Word {
    U32(u32),
    F32(f32),
}

impl From<u32> for Word {
    fn from(x: u32) -> Self {
        Word::U32(x)
    }
}

impl From<bool> for Word {
    fn from(x: bool) -> Self {
        Word::U32(x.into())
    }
}

impl From<f32> for Word {
    fn from(x: f32) -> Self {
        Word::F32(x)
    }
}

/// The words of a uniform by the names of variables or with values of their own: `block! { span, length: items }`.
macro_rules! block {
    ($($name:ident $(: $value:expr)?),* $(,)?) => {
        $crate::kernel::Block::of(vec![$((stringify!($name), $crate::kernel::block!(@ $name $($value)?).into())),*])
    };
    (@ $name:ident) => { $name };
    (@ $name:ident $value:expr) => { $value };
}
pub(crate) use block;

impl Block {
    pub fn of(words: Vec<(&'static str, Word)>) -> Self {
        Block(words.into_iter().map(|(name, word)| (name.into(), word)).collect())
    }

    /// This block's words, then those of another.
    pub fn and(mut self, other: Block) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Adds a word whose name depends on the call.
    pub fn push(&mut self, name: String, word: impl Into<Word>) {
        self.0.push((name.into(), word.into()));
    }

    /// Names and WGSL types.
    pub fn members(&self) -> Vec<Member> {
        let ty = |word: &Word| match word {
            Word::U32(_) => "u32",
            Word::F32(_) => "f32",
        };
        self.0.iter().map(|(name, word)| (name.clone(), ty(word))).collect()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let bytes = |word: &Word| match word {
            Word::U32(x) => x.to_le_bytes(),
            Word::F32(x) => x.to_le_bytes(),
        };
        self.0.iter().flat_map(|(_, word)| bytes(word)).collect()
    }
}
