use retrograd_data::{Images, digits};

fn counts(images: &Images) -> [usize; 10] {
    let mut counts = [0; 10];
    images.labels().iter().for_each(|&label| counts[label as usize] += 1);
    counts
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
    assert_eq!(counts(&test), [35, 36, 35, 37, 37, 37, 37, 36, 33, 37]);
}

#[test]
fn the_pixels_and_labels_are_those_that_make_py_printed() {
    let (train, test) = digits();
    let crc = |bytes: &mut dyn Iterator<Item = u8>| {
        let mut crc = flate2::Crc::new();
        crc.update(&bytes.collect::<Vec<u8>>());
        crc.sum()
    };
    assert_eq!(crc(&mut bytes(&train).chain(bytes(&test))), 0xf3a2_533c);
    assert_eq!(crc(&mut train.labels().iter().chain(test.labels()).map(|&label| label as u8)), 0xf86f_c929);
}

#[test]
fn the_darkest_ink_is_1() {
    let (train, _) = digits();
    assert_eq!(bytes(&train).max(), Some(16));
    assert_eq!(train.normalization().scale(), 16.0);
}
