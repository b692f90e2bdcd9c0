/* What the reader refuses: where, with which words, and with which hint. */
#include <criterion/criterion.h>
#include "base/buf.h"
#include "base/util.h"
#include "data/yaml.h"

/* "line:column text [hint]" of every mistake, one a line. */
static char *mistakes(const char *yaml)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_doc *doc = ft_doc_parse("t", yaml, strlen(yaml), diags);
    struct ft_buf out = FT_BUF_INIT(0);

    for (size_t i = 0; i < ft_diags_count(diags); i++) {
        const struct ft_diag *diag = ft_diags_get(diags, i);

        ft_buf_addf(&out, "%s%u:%u %s", i ? "\n" : "", diag->mark.line, diag->mark.column, diag->text);
        if (diag->hint)
            ft_buf_addf(&out, " [%s]", diag->hint);
    }
    cr_expect_eq(doc == NULL, ft_diags_count(diags) > 0, "%s: a document or a reason", yaml);
    ft_doc_free(doc);
    ft_diags_free(diags);
    return ft_buf_take(&out);
}

static void expect_mistakes(const char *yaml, const char *wanted)
{
    char *said = mistakes(yaml);

    cr_expect_str_eq(said, wanted, "%s\nsaid:   %s\nwanted: %s", yaml, said, wanted);
    free(said);
}

static const struct { const char *yaml, *mistakes; } scalars[] = {
    { "a: yes", "1:4 'yes' is a string here, not a boolean [write true or quote it]" },
    { "a: no", "1:4 'no' is a string here, not a boolean [write false or quote it]" },
    { "a: on", "1:4 'on' is a string here, not a boolean [write true or quote it]" },
    { "a: Off", "1:4 'Off' is a string here, not a boolean [write false or quote it]" },
    { "a: YES", "1:4 'YES' is a string here, not a boolean [write true or quote it]" },
    { "a: y", "1:4 'y' is a string here, not a boolean [write true or quote it]" },
    { "a: N", "1:4 'N' is a string here, not a boolean [write false or quote it]" },
    { "a: True", "1:4 'True' is a string here, not a boolean [write true or quote it]" },
    { "a: FALSE", "1:4 'FALSE' is a string here, not a boolean [write false or quote it]" },
    { "a: Null", "1:4 'Null' is a string here, not null [write null or quote it]" },
    { "a: NULL", "1:4 'NULL' is a string here, not null [write null or quote it]" },
    { "a: 012", "1:4 '012' is 12 to some and octal to others [write 12 or quote it]" },
    { "a: -012", "1:4 '-012' is -12 to some and octal to others [write -12 or quote it]" },
    { "a: 00", "1:4 '00' is 0 to some and octal to others [write 0 or quote it]" },
    { "a: 089", "1:4 '089' is 89 to some and octal to others [write 89 or quote it]" },
    { "a: 00.5", "1:4 '00.5' is 0.5 to some and octal to others [write 0.5 or quote it]" },
    { "a: 0o12", "1:4 '0o12' is a string here, not a number [write 10 or quote it]" },
    { "a: 0x1F", "1:4 '0x1F' is a string here, not a number [write 31 or quote it]" },
    { "a: -0x1F", "1:4 '-0x1F' is a string here, not a number [write -31 or quote it]" },
    { "a: 0b101", "1:4 '0b101' is a string here, not a number [write 5 or quote it]" },
    { "a: 1_000", "1:4 '1_000' is a string here, not a number [write 1000 or quote it]" },
    { "a: 1_000.5", "1:4 '1_000.5' is a string here, not a number [write 1000.5 or quote it]" },
    { "a: 1e3", "1:4 '1e3' is a string here, not a number [write all its digits or quote it]" },
    { "a: 1.5E-3", "1:4 '1.5E-3' is a string here, not a number [write all its digits or quote it]" },
    { "a: .5e3", "1:4 '.5e3' is a string here, not a number [write all its digits or quote it]" },
    { "a: 12:30:45", "1:4 '12:30:45' is a number to base 60 to some and text to others [quote it]" },
    { "a: 12:30", "1:4 '12:30' is a number to base 60 to some and text to others [quote it]" },
    { "a: 10:22:33:44:55:06", "1:4 '10:22:33:44:55:06' is a number to base 60 to some and text to others [quote it]" },
    { "a: +5", "1:4 '+5' is a string here, not a number [write 5 or quote it]" },
    { "a: +5.25", "1:4 '+5.25' is a string here, not a number [write 5.25 or quote it]" },
    { "a: .5", "1:4 '.5' is a string here, not a number [write 0.5 or quote it]" },
    { "a: -.5", "1:4 '-.5' is a string here, not a number [write -0.5 or quote it]" },
    { "a: 5.", "1:4 '5.' is a string here, not a number [write 5.0 or quote it]" },
    { "a: .inf", "1:4 '.inf' is not a number here [write a number or quote it]" },
    { "a: -.INF", "1:4 '-.INF' is not a number here [write a number or quote it]" },
    { "a: .NaN", "1:4 '.NaN' is not a number here [write a number or quote it]" },
    { "a: 9223372036854775808", "1:4 the number is too large [quote it]" },
    { "- yes\n- {b: no}\n", "1:3 'yes' is a string here, not a boolean [write true or quote it]\n"
                            "2:7 'no' is a string here, not a boolean [write false or quote it]" },
};

Test(trap, scalars_that_readers_do_not_agree_about)
{
    for (size_t i = 0; i < ARRAY_LEN(scalars); i++)
        expect_mistakes(scalars[i].yaml, scalars[i].mistakes);
}

Test(trap, none_of_them_is_one_in_quotes)
{
    for (size_t i = 0; i < ARRAY_LEN(scalars) - 1; i++) {
        char *quoted = ft_asprintf("a: '%s'", scalars[i].yaml + 3);

        expect_mistakes(quoted, "");
        free(quoted);
    }
}

static const struct { const char *yaml, *mistakes; } keys[] = {
    { "on: x", "1:1 the key 'on' is not text to every reader of YAML [quote it]" },
    { "a: 1\n  \nYes: x", "3:1 the key 'Yes' is not text to every reader of YAML [quote it]" },
    { "true: x", "1:1 the key 'true' is not text to every reader of YAML [quote it]" },
    { "~: x", "1:1 the key '~' is not text to every reader of YAML [quote it]" },
    { "10: staff", "1:1 the key '10' is not text to every reader of YAML [quote it]" },
    { "1.5: x", "1:1 the key '1.5' is not text to every reader of YAML [quote it]" },
    { "010: x", "1:1 the key '010' is not text to every reader of YAML [quote it]" },
    { "12:30:45: x", "1:1 the key '12:30:45' is not text to every reader of YAML [quote it]" },
    { "?\n: x", "1:2 a key is missing" },
    { "{? , a: 1}", "1:4 a key is missing" },
    { ": x", "1:1 expected a key here [is it indented like the keys above it?]" },
    { "<<: {a: 1}", "1:1 merge keys are not used here [write the keys out, or quote '<<' to mean the text]" },
    { "a: 1\nb: 2\na: 3\n", "3:1 the key 'a' is there already, on line 1" },
    { "a: 1\n'a': 3\na: 4\n", "2:1 the key 'a' is there already, on line 1\n3:1 the key 'a' is there already, on line 1" },
    { "x:\n  - {b: 1, b: 2}\n", "2:12 the key 'b' is there already, on line 2" },
    { "? [a]\n: b\n", "1:3 a key must be text, not a list" },
    { "a: {{ site }}\n", "1:5 a key must be text, not a map [{{ … }} is not used here: write \"${…}\"]" },
    { "a: &x 1\n*x : 2\n", "2:1 a key must be text, not an alias" },
    { "&k a: 1\n", "1:4 a key cannot have an anchor" },
    { "\"a\\0b\": 1\n", "1:1 a key cannot hold the character U+0000" },
};

Test(trap, keys)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        expect_mistakes(keys[i].yaml, keys[i].mistakes);
}

static const struct { const char *yaml, *mistakes; } structures[] = {
    { "a:\n\tb: 1\n", "2:1 a tab is used as indentation [use spaces]" },
    { "a: 1\n\tb: 2\n", "2:1 a tab is used as indentation [use spaces]" },
    { "- a\n\t- b\n", "2:1 a tab is used as indentation [use spaces]" },
    { "a: |\n\tx\n", "2:1 a tab is used as indentation [use spaces]" },
    { "a: |\n    x\n  \ty\n", "3:3 a tab is used as indentation [use spaces]" },
    { "a: &x [*x]\n", "1:8 the anchor '&x' contains itself" },
    { "a: &x {b: {c: *x}}\n", "1:15 the anchor '&x' contains itself" },
    { "a: *y\n", "1:4 there is no anchor '&y' above [quote a value that begins with '*']" },
    { "a: *y\nb: &y 1\n", "1:4 there is no anchor '&y' above [quote a value that begins with '*']" },
    { "a: &x 1\nb: &x 2\n", "2:7 the anchor '&x' is there already" },
    { "a: !!str 12\n", "1:4 tags are not used here [quote a value that begins with '!']" },
    { "a: !x [1]\n", "1:4 tags are not used here [quote a value that begins with '!']" },
    { "a: 1\n---\nb: 2\n", "2:1 a second document begins here [one document a file]" },
    { "a: 1\n...\nb: 2\n", "3:1 a second document begins here [one document a file]" },
    { "%YAML 1.1\n---\na: 1\n", "1:1 directives are not used here [take the line with '%' out]" },
    { "a: \"x\\0y\"\n", "1:4 text cannot hold the character U+0000" },
    { "a: x\x01\n", "1:5 here is U+0001, a control character [in double quotes it can be written as an escape]" },
    { "a: x\n\xc2\x85" "b\n", "2:1 here is U+0085, a control character [in double quotes it can be written as an escape]" },
    { "a: \xe2\x80\xa8\n", "1:4 here is U+2028, a line separator, which some readers of YAML take for the end of the line "
                           "[in double quotes it can be written as an escape]" },
    { "a: x\xe2\x80\xae" "y\n", "1:5 here is U+202E, an invisible character that reorders the text on the screen "
                                "[in double quotes it can be written as an escape]" },
    { "a: x\xef\xbb\xbfy\n", "1:5 here is U+FEFF, an invisible character [in double quotes it can be written as an escape]" },
    { "a: 1\rb: 2\n", "1:5 here is U+000D, a carriage return without a line feed [in double quotes it can be written as an escape]" },
    { "a: caf\xe9\n", "1:7 this byte (0xe9) is not UTF-8 [save the file as UTF-8]" },
};

Test(trap, structures_and_characters)
{
    for (size_t i = 0; i < ARRAY_LEN(structures); i++)
        expect_mistakes(structures[i].yaml, structures[i].mistakes);
}

static const struct { const char *yaml, *mistakes; } syntax[] = {
    { "title: a: b\n", "1:9 a value without quotes cannot hold ': ' [quote the value]" },
    { "a: 1\n b: 2\n", "2:3 a value without quotes cannot hold ': ' "
                       "[this line is indented deeper than the key above, so it continues that key's value]" },
    { "a:\n  b: 1\n c: 2\n", "3:2 expected a key here [is it indented like the keys above it?]" },
    { "a: 1\n- b\n", "2:1 expected a key here [is it indented like the keys above it?]" },
    { "- a\nb: 1\n", "2:1 expected an item of the list here, beginning with '- ' [is it indented like the items above it?]" },
    { "a: \"x\nb: 1\n", "1:4 this quote is not closed" },
    { "a: 'x\n", "1:4 this quote is not closed" },
    { "a: 'x\n---\n", "1:4 this quote is not closed" },
    { "a: [1, 2\nb: 3\n", "2:2 expected ',' or ']' here [the brackets were opened on line 1]" },
    { "a: {x: 1\nb: 3\n", "2:2 expected ',' or '}' here [the brackets were opened on line 1]" },
    { "a: {x: ${y}}\n", "1:9 '${' is not quoted [inside { } and [ ] write \"${…}\" with quotes]" },
    { "a: @x\n", "1:4 this character cannot begin a value [quote the value]" },
    { "a: %x\n", "1:4 this character cannot begin a value [quote the value]" },
    { "a: \"\\q\"\n", "1:5 there is no such escape [double the backslash, or use single quotes]" },
    { "a: \"\\x1\"\n", "1:7 this escape needs more hexadecimal digits" },
    { "a: \"\\ud800\"\n", "1:7 this escape is no Unicode character" },
    { "a: *\n", "1:4 '*' and '&' at the beginning of a value stand for anchors [quote the value]" },
    { "a: >= 3\n", "1:5 text after '|' or '>' begins on the next line [quote the value if it begins with that character]" },
    { "a: \"x\" == y\n", "1:8 the quoted value has ended already [put the whole value into single quotes]" },
    { "a: 'it's'\n", "1:8 the quoted value has ended already [a ' inside single quotes is written '']" },
    { "a: 1\nfoo\n", "2:1 expected 'key: value' here" },
    { "a: 1\nb:2\n", "2:1 expected 'key: value' here [a space is missing after ':']" },
    { "a: - b\n", "1:4 a list cannot begin on the line of its key [put it on the next line]" },
    { "a: ? b\n", "1:4 '?' cannot begin a value [quote the value]" },
    { "a: [1,,2]\n", "1:7 a value is missing here" },
    { "a: ]\n", "1:4 a value is missing here" },
};

Test(trap, syntax_errors_speak_of_the_file)
{
    for (size_t i = 0; i < ARRAY_LEN(syntax); i++)
        expect_mistakes(syntax[i].yaml, syntax[i].mistakes);
}

Test(trap, all_are_found_in_one_pass_before_a_syntax_error_too)
{
    expect_mistakes("a: yes\nb: 012\na: *x\nc: [\n",
                    "1:4 'yes' is a string here, not a boolean [write true or quote it]\n"
                    "2:4 '012' is 12 to some and octal to others [write 12 or quote it]\n"
                    "3:4 there is no anchor '&x' above [quote a value that begins with '*']\n"
                    "5:1 a value is missing here");
}
