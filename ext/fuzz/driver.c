/* Runs a fuzz entry point without libFuzzer: over files, folders of files, and random mutations of
 * them. Usage: program [-m mutations] [-s seed] path... */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_INPUTS = 4096, MAX_INPUT_BYTES = 1 << 20 };

typedef struct {
    uint8_t *data;
    size_t size;
} input;

static input inputs[MAX_INPUTS];
static size_t input_count;

/* xorshift64*: the same seed gives the same run on every machine. */
static uint64_t random_state;

static size_t random_below(size_t limit) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (size_t)((random_state * UINT64_C(2685821657736338717)) >> 33) % limit;
}

static int add_file(const char *path) {
    FILE *const file = fopen(path, "rb");
    if (!file || input_count == MAX_INPUTS) {
        fprintf(stderr, "cannot take %s\n", path);
        return 0;
    }
    uint8_t *const data = malloc(MAX_INPUT_BYTES);
    inputs[input_count].data = data;
    inputs[input_count].size = data ? fread(data, 1, MAX_INPUT_BYTES, file) : 0;
    input_count++;
    fclose(file);
    return data != NULL;
}

static int add_path(const char *path) {
    DIR *const folder = opendir(path);
    if (!folder) {
        return add_file(path);
    }
    int good = 1;
    for (struct dirent *entry; good && (entry = readdir(folder)) != NULL;) {
        char name[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        const int length = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        good = length > 0 && (size_t)length < sizeof name && add_file(name);
    }
    closedir(folder);
    return good;
}

/* One small change in place: another byte, a flipped bit, a byte less, a byte more, a piece of
 * another input. Returns the new size, at most capacity. */
static size_t mutate(uint8_t *data, size_t size, size_t capacity) {
    static const uint8_t telling[] =
        "\"\\{}[]:,.-+eEu019d8DC_/= \n\t\0\x7f\x80\xbf\xc2\xe0\xed\xf4";
    const size_t at = random_below(size + 1);
    switch (random_below(5)) {
    case 0:
        if (at < size) {
            data[at] = telling[random_below(sizeof telling - 1)];
        }
        return size;
    case 1:
        if (at < size) {
            data[at] ^= (uint8_t)(1 << random_below(8));
        }
        return size;
    case 2:
        if (at < size) {
            memmove(data + at, data + at + 1, size - at - 1);
            return size - 1;
        }
        return size;
    case 3:
        if (size < capacity) {
            memmove(data + at + 1, data + at, size - at);
            data[at] = telling[random_below(sizeof telling - 1)];
            return size + 1;
        }
        return size;
    default: {
        const input *const other = &inputs[random_below(input_count)];
        const size_t from = random_below(other->size + 1);
        size_t length = random_below(64);
        length = length < other->size - from ? length : other->size - from;
        length = length < capacity - at ? length : capacity - at;
        memcpy(data + at, other->data + from, length);
        return at + length > size ? at + length : size;
    }
    }
}

static void run_mutations(unsigned long count) {
    uint8_t *const data = malloc(MAX_INPUT_BYTES);
    if (!data) {
        abort();
    }
    for (unsigned long i = 0; i < count; i++) {
        const input *const source = &inputs[random_below(input_count)];
        size_t size = source->size;
        memcpy(data, source->data, size);
        for (size_t changes = 1 + random_below(4); changes > 0; changes--) {
            size = mutate(data, size, MAX_INPUT_BYTES);
        }
        (void)LLVMFuzzerTestOneInput(data, size);
    }
    free(data);
}

int main(int argc, char **argv) {
    unsigned long mutations = 0;
    random_state = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-m") == 0 && i + 1 < argc) {
            mutations = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "-s") == 0 && i + 1 < argc) {
            random_state = strtoul(argv[++i], NULL, 10) | UINT64_C(1) << 63;
        } else if (!add_path(argv[i])) {
            return 2;
        }
    }
    if (input_count == 0) {
        fprintf(stderr, "usage: %s [-m mutations] [-s seed] path...\n", argv[0]);
        return 2;
    }
    for (size_t i = 0; i < input_count; i++) {
        (void)LLVMFuzzerTestOneInput(inputs[i].data, inputs[i].size);
    }
    run_mutations(mutations);
    printf("%zu inputs, %lu mutations\n", input_count, mutations);
    for (size_t i = 0; i < input_count; i++) {
        free(inputs[i].data);
    }
    return 0;
}
