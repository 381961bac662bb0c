// Words of two halves of any type. The first half is the low one.

// The word with the half of that index replaced by the low half of `bits`.
fn with_half(word: u32, index: u32, bits: u32) -> u32 {
    let shift = 16u * (index % 2u);
    return (word & ~(0xffffu << shift)) | ((bits & 0xffffu) << shift);
}

// What an exclusive or changes in the word to replace that half, whatever becomes of the other one meanwhile.
fn change_of_half(word: u32, index: u32, bits: u32) -> u32 {
    return word ^ with_half(word, index, bits);
}

// The word with the chosen halves of another.
fn with_halves(word: u32, other: u32, chosen: vec2<bool>) -> u32 {
    let halves = select(vec2<u32>(), vec2<u32>(0xffffu, 0xffff0000u), chosen);
    let ours = halves.x | halves.y;
    return (other & ours) | (word & ~ours);
}
