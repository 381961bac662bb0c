// All other rows of the anchor's label are its positives, each with an equal share: nothing that the driver does not
// do.
