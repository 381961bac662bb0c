//! A kernel's text, and where each line of it comes from.

use crate::spec::ShaderFile;

/// The parts of a kernel's text, joined.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// All of them.
    pub source: String,
    /// The first line (from 0) of each part, and the part's name.
    parts: Vec<(usize, &'static str)>,
}

impl Text {
    /// Adds a whole file.
    pub fn file(&mut self, file: ShaderFile) {
        self.part(file.path, file.source);
    }

    /// Adds generated text.
    pub fn generated(&mut self, text: &str) {
        self.part("generated header", text);
    }

    fn part(&mut self, name: &'static str, text: &str) {
        self.parts.push((self.source.lines().count(), name));
        self.source.push_str(text);
    }

    /// File and line of a line (from 1) of the text.
    pub fn locate(&self, line: usize) -> String {
        let line = line.saturating_sub(1);
        let part = self.parts.iter().rev().find(|(first, _)| *first <= line);
        part.map_or_else(|| "?".to_string(), |(first, name)| format!("{name}:{}", line - first + 1))
    }

    /// File and line of the place that a compiler's message names as `wgsl:LINE:COLUMN`.
    pub fn locate_in(&self, message: &str) -> String {
        let line = message.split("wgsl:").nth(1).and_then(|rest| rest.split(':').next()?.parse().ok());
        line.map_or_else(|| "?".to_string(), |line| self.locate(line))
    }
}
