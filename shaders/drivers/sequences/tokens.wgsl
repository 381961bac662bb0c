// The sequences that tokens are of.

// Whether a token counts: it is not masked, and its target not ignored.
fn counts(token: u32) -> bool {
    return is_kept(token) && !is_ignored(load_target(token));
}

// The tokens of a sequence, and whether these are some that there are, behind those of the sequence before.
struct Extent {
    first: u32,
    end: u32,
    fits: bool,
}

fn extent_of(sequence: u32) -> Extent {
    let first = offsets[sequence];
    let end = offsets[sequence + 1u];
    let begins = sequence > 0u || first == 0;
    let ends = sequence + 1u < call.sequences || u32(end) == call.tokens;
    let fits = first >= 0 && first <= end && u32(end) <= call.tokens && begins && ends;
    return Extent(u32(first), select(u32(first), u32(end), fits), fits);
}

// Where what a sequence leaves is: of pairs the first sequences of all come first, then the others.
fn place_of(sequence: u32) -> u32 {
    return sequence / call.items * call.stride + sequence % call.items;
}

// What the tokens of a sequence have a share of 1 of: their number in a mean, else 1.
fn parts_of(length: f32) -> f32 {
    return select(1.0, max(length, 1.0), call.averages != 0u);
}
