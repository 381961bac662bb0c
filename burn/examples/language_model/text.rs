//! The text that is learnt: the pages of this project's documentation.

use burn::tensor::{Device, Int, Tensor, TensorData};
use fastrand::Rng;

const PAGES: [&str; 10] = [
    include_str!("../../../docs/boxes.md"),
    include_str!("../../../docs/classification.md"),
    include_str!("../../../docs/generative.md"),
    include_str!("../../../docs/metric_learning.md"),
    include_str!("../../../docs/own_loss.md"),
    include_str!("../../../docs/regression.md"),
    include_str!("../../../docs/rows.md"),
    include_str!("../../../docs/segmentation.md"),
    include_str!("../../../docs/tasks.md"),
    include_str!("../../../docs/training_loop.md"),
];

/// A text as numbers of its characters.
pub struct Text {
    /// All characters there are, each at its number.
    pub vocabulary: Vec<char>,
    training: Vec<i32>,
    held_out: Vec<i32>,
}

impl Text {
    /// The pages, of which training does not see the last tenth of each.
    pub fn load() -> Self {
        let mut vocabulary: Vec<char> = PAGES.iter().flat_map(|page| page.chars()).collect();
        vocabulary.sort_unstable();
        vocabulary.dedup();
        let mut text = Text { vocabulary, training: Vec::new(), held_out: Vec::new() };
        for page in PAGES {
            let numbers: Vec<i32> = page.chars().filter_map(|character| text.number(character)).collect();
            let (training, held_out) = numbers.split_at(numbers.len() * 9 / 10);
            text.training.extend(training);
            text.held_out.extend(held_out);
        }
        text
    }

    pub fn len(&self) -> usize {
        self.training.len()
    }

    /// The number of a character.
    pub fn number(&self, character: char) -> Option<i32> {
        self.vocabulary.binary_search(&character).ok().map(|number| number as i32)
    }

    /// Passages of the text, and the characters that follow each of theirs: `[count, length]` both.
    pub fn passages(&self, count: usize, length: usize, rng: &mut Rng, device: &Device) -> [Tensor<2, Int>; 2] {
        let starts: Vec<usize> = (0..count).map(|_| rng.usize(..self.training.len() - length)).collect();
        cut(&self.training, &starts, length, device)
    }

    /// Passages of what training does not see, one behind the other.
    pub fn held_out(&self, count: usize, length: usize, device: &Device) -> [Tensor<2, Int>; 2] {
        let starts: Vec<usize> = (0..self.held_out.len() - length).step_by(length).take(count).collect();
        cut(&self.held_out, &starts, length, device)
    }
}

fn cut(text: &[i32], starts: &[usize], length: usize, device: &Device) -> [Tensor<2, Int>; 2] {
    [0, 1].map(|shift| {
        let numbers: Vec<i32> = starts.iter().flat_map(|start| &text[start + shift..][..length]).copied().collect();
        Tensor::from_data(TensorData::new(numbers, [starts.len(), length]), device)
    })
}
