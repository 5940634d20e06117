use retrograd_data::{DataLoader, Images, Normalization};

use crate::idx::{gzip, idx};
use crate::{Scratch, assert_says};

/// Two images of 1×2 pixels for each of three classes.
fn six() -> Images {
    Images::new([1, 1, 2], (0..12).collect(), vec![0, 1, 2, 0, 1, 2], 3).unwrap()
}

fn values(images: &Images) -> Vec<f32> {
    let loader = DataLoader::new(images.clone(), images.len()).unwrap();
    loader.epoch(0).next().unwrap().0.as_slice().to_vec()
}

#[test]
fn unless_told_otherwise_bytes_are_read_as_0_to_1() {
    let images = Images::new([1, 1, 3], vec![0, 51, 255], vec![0], 1).unwrap();
    assert_eq!(values(&images), [0.0, 0.2, 1.0]);
}

#[test]
fn each_channel_has_its_own_mean_and_standard_deviation() {
    let images = Images::new([2, 1, 2], vec![0, 255, 255, 51], vec![0], 1).unwrap();
    let normalization = Normalization::new(255.0, &[0.5, 0.0], &[0.5, 2.0]).unwrap();
    assert_eq!(values(&images.clone().normalize(&normalization).unwrap()), [-1.0, 1.0, 0.5, 0.1]);
    let one_for_all = Normalization::new(51.0, &[1.0], &[2.0]).unwrap();
    assert_eq!(values(&images.normalize(&one_for_all).unwrap()), [-0.5, 2.0, 2.0, 0.0]);
}

#[test]
fn the_statistics_of_a_set_give_it_mean_0_and_standard_deviation_1() {
    let bytes: Vec<u8> = (0..4 * 2 * 3 * 5u32).map(|i| (i * i * 37 % 251) as u8).collect();
    let images = Images::new([2, 3, 5], bytes, vec![0; 4], 1).unwrap();
    let statistics = images.statistics();
    let images = images.normalize(&statistics).unwrap();
    let values = values(&images);
    for channel in 0..2 {
        let of_channel = values.chunks(15).skip(channel).step_by(2).flatten();
        let numbers: Vec<f64> = of_channel.map(|&x| x.into()).collect();
        let mean = numbers.iter().sum::<f64>() / 60.0;
        let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 60.0;
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-6, "{mean} {variance}");
    }
    assert_eq!(images.statistics(), statistics, "statistics do not depend on the normalisation in use");
}

#[test]
fn the_statistics_of_nothing_and_of_a_single_value_do_not_divide_by_zero() {
    let flat = Images::new([1, 2, 2], vec![51; 8], vec![0, 0], 1).unwrap();
    assert_eq!(flat.statistics(), Normalization::new(255.0, &[0.2], &[1.0]).unwrap());
    let nothing = Images::new([1 << 40, 1, 1], vec![], vec![], 1).unwrap();
    assert_eq!(nothing.statistics(), Normalization::new(255.0, &[0.0], &[1.0]).unwrap());
}

#[test]
fn a_normalization_that_could_not_be_undone_is_refused() {
    assert!(Normalization::new(0.0, &[0.0], &[1.0]).is_err());
    assert!(Normalization::new(255.0, &[0.0], &[0.0]).is_err());
    assert!(Normalization::new(255.0, &[f32::NAN], &[1.0]).is_err());
    assert!(Normalization::new(255.0, &[], &[]).is_err());
    assert!(Normalization::new(255.0, &[0.0, 0.0], &[1.0]).is_err());
    let three = Normalization::new(255.0, &[0.0; 3], &[1.0; 3]).unwrap();
    let error = six().normalize(&three).unwrap_err().to_string();
    assert!(error.contains("for 3 channels") && error.contains("images.rs"), "{error}");
}

#[test]
fn a_split_keeps_order_and_loses_nothing() {
    let (first, others) = six().split(4).unwrap();
    assert_eq!((first.labels(), others.labels()), (&[0, 1, 2, 0][..], &[1, 2][..]));
    assert_eq!((first.image(3).unwrap(), others.image(0).unwrap()), (&[6, 7][..], &[8, 9][..]));
    assert_eq!(six().split(6).unwrap().1.len(), 0);
    assert!(six().split(7).unwrap_err().to_string().contains("there are 6 images, expected at least 7"));
    assert!(six().split(usize::MAX).is_err());
}

#[test]
fn a_subset_follows_its_indices_with_repetitions() {
    let images = six().with_class_names(["a", "b", "c"]).unwrap();
    let subset = images.subset(&[5, 0, 5]).unwrap();
    assert_eq!(subset.labels(), [2, 0, 2]);
    assert_eq!(subset.image(2).unwrap(), [10, 11]);
    assert_eq!((subset.classes(), subset.class_names()), (3, images.class_names()));
    assert!(images.subset(&[0, 6]).unwrap_err().to_string().contains("no image 6 among 6"));
    assert_eq!(images.image(6), None);
    assert_eq!(images.image(usize::MAX), None);
}

#[test]
fn images_and_labels_must_agree() {
    let fact = |bytes, labels, classes| {
        let error = Images::new([1, 1, 2], bytes, labels, classes).unwrap_err();
        assert_eq!(error.location().map(|at| at.file()), Some(file!()), "{error}");
        error.to_string()
    };
    assert!(fact(vec![0; 3], vec![0, 0], 1).contains("3 bytes are not 2 images"));
    assert!(fact(vec![0; 4], vec![0, 3], 3).contains("image 1 has label 3"));
    assert!(fact(vec![0; 4], vec![-1, 0], 3).contains("image 0 has label -1"));
    assert!(Images::new([1, 0, 2], vec![], vec![0], 1).is_err());
    assert!(Images::new([usize::MAX, 2, 2], vec![], vec![0], 1).is_err());
    assert!(Images::new([usize::MAX, 2, 2], vec![], vec![], 1).is_err());
    assert!(six().with_class_names(["only one"]).is_err());
}

/// The four files of a set with two training images and one test image of 1×2 pixels.
fn mnist() -> Scratch {
    let scratch = Scratch::new();
    scratch.file("train-images-idx3-ubyte", &idx(&[2, 1, 2], &[1, 2, 3, 4]));
    scratch.file("train-labels-idx1-ubyte.gz", &gzip(&idx(&[2], &[0, 1])));
    scratch.file("t10k-images-idx3-ubyte.gz", &gzip(&idx(&[1, 1, 2], &[5, 6])));
    scratch.file("t10k-labels-idx1-ubyte", &idx(&[1], &[3]));
    scratch
}

#[test]
fn an_idx_directory_gives_a_training_and_a_test_set_of_the_same_classes() {
    let (train, test) = Images::from_idx_dir(mnist().path()).unwrap();
    assert_eq!((train.shape(), train.labels(), train.classes()), ([1, 1, 2], &[0, 1][..], 4));
    assert_eq!((test.shape(), test.labels(), test.classes()), ([1, 1, 2], &[3][..], 4));
    assert_eq!((train.image(1).unwrap(), test.image(0).unwrap()), (&[3, 4][..], &[5, 6][..]));
}

#[test]
fn what_is_no_directory_has_no_idx_files() {
    let scratch = mnist();
    for name in ["t10k-labels-idx1-ubyte", "missing"] {
        let path = scratch.path().join(name);
        let fact = "is no directory, expected one with IDX files in it";
        assert_says(Images::from_idx_dir(&path).err(), &path, fact);
    }
}

#[test]
fn an_idx_directory_that_is_incomplete_or_contradicts_itself_is_refused_by_the_name_of_the_file() {
    let refused = |name: &str, file: Option<Vec<u8>>, fact: &str| {
        let scratch = mnist();
        match file {
            Some(bytes) => drop(scratch.file(name, &bytes)),
            None => std::fs::remove_file(scratch.path().join(name)).unwrap(),
        }
        assert_says(Images::from_idx_dir(scratch.path()).err(), scratch.path(), fact);
    };
    refused("t10k-labels-idx1-ubyte", None, "no t10k-labels-idx1-ubyte and no t10k-labels-idx1-ubyte.gz");
    refused(
        "train-labels-idx1-ubyte",
        Some(idx(&[3], &[0; 3])),
        "train-labels-idx1-ubyte: 3 labels for the 2 images",
    );
    refused(
        "t10k-labels-idx1-ubyte",
        Some(idx(&[1, 1], &[0])),
        "expected one axis of labels, found shape [1, 1]",
    );
    refused("train-images-idx3-ubyte", Some(idx(&[2, 2], &[0; 4])), "expected [n, height, width]");
    refused("train-images-idx3-ubyte", Some(idx(&[2, 2, 1], &[0; 4])), "[1, 2, 1]");
    refused("train-images-idx3-ubyte", Some(idx(&[2, 0, 1], &[])), "have no pixels");
    refused("train-images-idx3-ubyte", Some(b"GIF89a".to_vec()), "train-images-idx3-ubyte: is no IDX file");
}
