// Gradients that have a word each.
fn store_word(word: u32) {
    put_gradient(word, gradient_of(word));
}
