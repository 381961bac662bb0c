//! A kernel's text, and where each part of it comes from.

use std::{fmt, ops::Range};

use crate::spec::ShaderFile;

/// What messages call the text that is made from the recipe.
const GENERATED: &str = "generated header";

/// The parts of a kernel's text, joined.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// All of them.
    pub source: String,
    /// The first byte of each part, and the part's name.
    parts: Vec<(usize, &'static str)>,
}

/// A place in the part of a text that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// The file.
    pub file: &'a str,
    /// From 1.
    pub line: usize,
    /// The character in its line, from 1.
    pub column: usize,
}

impl<'a> Place<'a> {
    /// The place of a byte of a file's text.
    pub fn of(file: &'a str, text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count()) + 1;
        Place { file, line, column }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Text {
    /// Adds a whole file.
    pub fn file(&mut self, file: ShaderFile) {
        self.part(file.path, file.source);
    }

    /// Adds generated text.
    pub fn generated(&mut self, text: &str) {
        self.part(GENERATED, text);
    }

    fn part(&mut self, name: &'static str, text: &str) {
        self.parts.push((self.source.len(), name));
        self.source.push_str(text);
        // A file may end within a line, even within a comment.
        if !text.ends_with('\n') {
            self.source.push('\n');
        }
    }

    /// The place of a byte of the text.
    pub fn place(&self, byte: usize) -> Place<'static> {
        let part = self.parts.iter().rev().find(|(first, _)| *first <= byte);
        let &(first, name) = part.unwrap_or(&(0, GENERATED));
        Place::of(name, &self.source[first..], byte - first)
    }

    /// Each part with its name.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let ends = self.parts.iter().skip(1).map(|(first, _)| *first).chain([self.source.len()]);
        self.parts.iter().zip(ends).map(|(&(first, name), end)| (name, &self.source[Range { start: first, end }]))
    }
}
