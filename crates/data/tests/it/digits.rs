use retrograd_data::{Images, digits};

fn counts(images: &Images) -> [usize; 10] {
    let mut counts = [0; 10];
    images.labels().iter().for_each(|&label| counts[label as usize] += 1);
    counts
}

/// The parts put together again: every fifth is from the test set.
fn in_source_order<V: Copy>(train: &[V], test: &[V], len: usize) -> Vec<V> {
    let (mut train, mut test) = (train.chunks(len), test.chunks(len));
    let count = train.len() + test.len();
    (0..count).flat_map(|i| if i % 5 == 0 { test.next() } else { train.next() }.unwrap()).copied().collect()
}

fn bytes(images: &Images) -> impl Iterator<Item = u8> {
    (0..images.len()).flat_map(|i| images.image(i).unwrap().to_vec())
}

#[test]
fn every_digit_is_as_frequent_as_the_source_says() {
    let (train, test) = digits();
    let total: Vec<usize> = counts(&train).iter().zip(counts(&test)).map(|(a, b)| a + b).collect();
    // https://archive.ics.uci.edu/dataset/80, "No of examples in testing set".
    assert_eq!(total, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    assert_eq!(counts(&test), [42, 28, 26, 48, 38, 39, 30, 26, 36, 47]);
}

#[test]
fn the_pixels_and_labels_are_those_that_make_py_printed() {
    let (train, test) = digits();
    let crc = |bytes: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum()
    };
    let (for_training, for_testing) = (bytes(&train).collect::<Vec<u8>>(), bytes(&test).collect::<Vec<u8>>());
    assert_eq!(crc(&in_source_order(&for_training, &for_testing, 64)), 0xf3a2_533c);
    let labels = in_source_order(train.labels(), test.labels(), 1);
    assert_eq!(crc(&labels.iter().map(|&label| label as u8).collect::<Vec<u8>>()), 0xf86f_c929);
}

#[test]
fn the_darkest_ink_is_1() {
    let (train, _) = digits();
    assert_eq!(bytes(&train).max(), Some(16));
    assert_eq!(train.normalization().scale(), 16.0);
}
