//! No step fills a word that nothing reads.

use std::collections::{BTreeMap, BTreeSet};

use wgpu::naga::{Block, Expression, Function, Handle, Module, Statement};

use super::kernels::{Used, kernels};

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

#[test]
fn every_word_of_a_call_is_read_by_a_kernel_that_has_it() {
    let mut unread: BTreeMap<_, BTreeSet<u32>> = BTreeMap::new();
    for used in kernels() {
        let words = &used.kernel.call;
        let unread = unread.entry(words).or_insert_with(|| (0..words.len() as u32).collect());
        if !unread.is_empty() {
            words_read(used).iter().for_each(|word| _ = unread.remove(word));
        }
    }
    let dead =
        unread.iter().flat_map(|(words, unread)| unread.iter().map(move |&word| (&words[word as usize].0, words)));
    assert_eq!(dead.collect::<Vec<_>>(), []);
}
