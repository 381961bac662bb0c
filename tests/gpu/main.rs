//! The library on every adapter of the machine: each driver's losses, then what all have in common.

mod common;

mod all_pairs;
mod boxes;
mod elementwise;
mod linear;
mod pairs;
mod policies;
mod regions;
mod rows;
mod sequences;

mod bench;
mod broadcast;
mod compare;
mod conventions;
mod custom_loss;
mod divisor;
mod dynamic;
mod ends;
mod errors;
mod golden;
mod golden_tables;
mod halves;
mod joint;
mod large;
mod layers;
mod mask;
mod messages;
mod mutants;
mod ops;
mod optimum;
mod outputs;
mod own_loss;
mod parity;
mod record;
mod sums;
mod tasks;
mod top_k;
mod tunings;
mod weights;
