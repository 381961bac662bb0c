// Gradients that are two in a word. What is behind the last element is not ours and stays.
fn store_word(word: u32) {
    let has_second = 2u * word + 1u < call.elements;
    let second = gradient_of(2u * word + u32(has_second));
    put_word(word, vec2<f32>(gradient_of(2u * word), second), vec2<bool>(true, has_second));
}
