//! Kinds of losses: each is timed at shapes of its own, and has a geometric mean of its own.

use std::fmt;

use clap::ValueEnum;
use wgloss::{
    Loss,
    spec::{AllPairs, Anchors, Driver},
};

/// What a loss is computed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Elementwise,
    Rows,
    Regions,
    Boxes,
    /// Rows of embeddings with others that are given.
    Pairs,
    /// All embeddings of a batch with each other.
    Batch,
    /// The same, in triplets.
    Triplets,
    /// Sums of losses of inputs of their own.
    Sums,
    /// Features of images.
    Features,
    /// Hidden states with the head before a loss of rows.
    Heads,
}

impl Kind {
    /// The kind of a loss.
    pub fn of(loss: &dyn Loss) -> Self {
        match loss.spec().driver {
            Driver::Elementwise => Kind::Elementwise,
            Driver::Rows(_) => Kind::Rows,
            Driver::Regions(_) => Kind::Regions,
            Driver::Boxes => Kind::Boxes,
            Driver::Pairs => Kind::Pairs,
            Driver::AllPairs(AllPairs { anchors: Anchors::Sorted, .. }) => Kind::Triplets,
            Driver::AllPairs(_) => Kind::Batch,
            Driver::Linear(_) => Kind::Heads,
            Driver::Sum(_) | Driver::Sequences(_) | Driver::TopK(_) => Kind::Sums,
            Driver::Layers(_) | Driver::Gram => Kind::Features,
        }
    }

    /// The shapes that its losses are timed at.
    pub fn shapes(self) -> &'static [&'static [usize]] {
        match self {
            // The elements of a batch, and many of them.
            Kind::Elementwise => &[&[1024, 1000], &[4096, 1024]],
            // An ImageNet head with two sizes of batch, vocabularies of 32,000 and 128,000, few rows that are long, and
            // a label for each pixel.
            Kind::Rows => {
                &[&[1024, 1000], &[4096, 1000], &[512, 32_000], &[64, 128_000], &[8, 262_144], &[4, 21, 256, 256]]
            }
            // Images of 8 classes, and volumes of 4.
            Kind::Regions => &[&[4, 8, 256, 256], &[2, 4, 64, 64, 64]],
            // Some thousand for each image, and all of a detector for a batch of 64 images.
            Kind::Boxes => &[&[65_536, 4], &[64, 8400, 4]],
            // Many rows: all the memory that is read is embeddings.
            Kind::Pairs => &[&[65_536, 128]],
            // Batches of 1,024 and 2,048 in the dimensions of SimCLR's projections.
            Kind::Batch => &[&[1024, 128], &[2048, 128]],
            // A billion triplets.
            Kind::Triplets => &[&[1024, 128]],
            // Digits of 28×28, and faces of 64×64.
            Kind::Sums => &[&[1024, 784], &[64, 3, 64, 64]],
            // Layers of VGG-16 for images of 112×112.
            Kind::Features => &[&[4, 128, 56, 56], &[4, 512, 14, 14]],
            // Tokens, the length of their hidden states, and the classes: of a small model, of which a part of them in
            // the first shape.
            Kind::Heads => &[&[512, 256, 8000], &[2048, 256, 32_000]],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.to_possible_value().expect("no kind is hidden").get_name())
    }
}
