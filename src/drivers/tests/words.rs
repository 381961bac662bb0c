//! No step fills a word that nothing reads.

use std::collections::BTreeSet;

use wgpu::naga::{Block, Expression, Function, Handle, Module, Statement};

use super::kernels::{Used, kernels};
use crate::kernel::Member;

/// The functions that a block calls.
fn called(block: &Block) -> Vec<Handle<Function>> {
    let called_by = |statement: &Statement| match statement {
        Statement::Block(block) => called(block),
        Statement::If { accept, reject, .. } => [called(accept), called(reject)].concat(),
        Statement::Switch { cases, .. } => cases.iter().flat_map(|case| called(&case.body)).collect(),
        Statement::Loop { body, continuing, .. } => [called(body), called(continuing)].concat(),
        Statement::Call { function, .. } => vec![*function],
        _ => Vec::new(),
    };
    block.iter().flat_map(called_by).collect()
}

/// The members of the uniform `call` that a function reads.
fn words_of(module: &Module, function: &Function) -> Vec<u32> {
    let is_call = |expression| match function.expressions[expression] {
        Expression::GlobalVariable(variable) => module.global_variables[variable].name.as_deref() == Some("call"),
        _ => false,
    };
    let read = function.expressions.iter().filter_map(|(_, expression)| match *expression {
        Expression::AccessIndex { base, index } if is_call(base) => Some(index),
        _ => None,
    });
    read.collect()
}

/// The places of the words that the entry points of a kernel read, in functions that they call too.
fn words_read(used: &Used) -> BTreeSet<u32> {
    let module = used.text.module().expect("kernels are valid");
    let points = module.entry_points.iter().filter(|point| used.entries.contains(&*point.name));
    let mut left: Vec<&Function> = points.map(|point| &point.function).collect();
    let mut known = BTreeSet::new();
    let mut words = BTreeSet::new();
    while let Some(function) = left.pop() {
        words.extend(words_of(&module, function));
        let new = called(&function.body).into_iter().filter(|handle| known.insert(*handle));
        left.extend(new.map(|handle| &module.functions[handle]));
    }
    words
}

/// What a kernel has in common with others: its files but those of losses, or its words.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Shared {
    Files(Vec<&'static str>),
    Words(&'static [Member]),
}

fn shared_by(used: &'static Used) -> [Shared; 2] {
    let files = used.kernel.files.iter().map(|file| file.path).filter(|path| !path.starts_with("losses/"));
    [Shared::Files(files.collect()), Shared::Words(&used.kernel.call)]
}

/// A kernel may leave a word to another that has the same words, or the same files.
#[test]
fn every_word_of_a_call_is_read_by_a_kernel_like_it() {
    let mut read: BTreeSet<(Shared, &str)> = BTreeSet::new();
    let unread = |used: &'static Used, read: &BTreeSet<(Shared, &'static str)>| -> Vec<&'static str> {
        let shared = shared_by(used);
        let is_read = |word: &&str| shared.iter().any(|shared| read.contains(&(shared.clone(), *word)));
        used.kernel.call.iter().map(|(word, _)| &**word).filter(|word| !is_read(word)).collect()
    };
    for used in kernels() {
        // Kernels of which all words are known to be read are the most.
        if !unread(used, &read).is_empty() {
            let places = words_read(used);
            let words = used.kernel.call.iter().enumerate().filter(|(place, _)| places.contains(&(*place as u32)));
            for (_, (word, _)) in words {
                read.extend(shared_by(used).map(|shared| (shared, &**word)));
            }
        }
    }
    let dead = |used: &'static Used| {
        let words = unread(used, &read);
        (!words.is_empty()).then(|| format!("{words:?} of {}", used.name))
    };
    assert_eq!(kernels().iter().filter_map(dead).collect::<Vec<_>>(), [""; 0]);
}
