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
fn every_word_of_a_call_is_read_by_a_kernel_of_the_same_files_that_has_it() {
    let mut known: BTreeMap<Vec<&str>, BTreeMap<&str, bool>> = BTreeMap::new();
    for used in kernels() {
        let files = used.kernel.files.iter().map(|file| file.path).collect();
        let is_read = known.entry(files).or_default();
        let words = &used.kernel.call;
        // Kernels of which all words are known to be read are the most.
        if words.iter().any(|(word, _)| !is_read.get(&**word).copied().unwrap_or_default()) {
            let read = words_read(used);
            for (place, (word, _)) in (0..).zip(words) {
                *is_read.entry(word).or_default() |= read.contains(&place);
            }
        }
    }
    let dead = |(files, is_read): (&Vec<&str>, &BTreeMap<&str, bool>)| {
        let words: Vec<&str> = is_read.iter().filter(|(_, is_read)| !**is_read).map(|(word, _)| *word).collect();
        (!words.is_empty()).then(|| format!("{words:?} of {files:?}"))
    };
    assert_eq!(known.iter().filter_map(dead).collect::<Vec<_>>(), [""; 0]);
}
