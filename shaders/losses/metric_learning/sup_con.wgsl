// All other rows of the anchor's label are its positives, each with an equal share.
const RELATION: bool = true;

fn relation(row: u32, label: i32, column: u32) -> u32 {
    return labelled(row, label, column);
}
