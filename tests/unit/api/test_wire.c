/* The messages as recorded from existing clients, and the descriptors served by reflection. */
#include "descriptors.h"
#include "golden.h"
#include "pb.h"
#include "test.h"

static const ProtobufCMessageDescriptor *find_type(const char *name)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &pb_skill(push_skill_request__descriptor),
        &pb_skill(push_skill_response__descriptor),
        &pb_skill(skill_id__descriptor),
        &pb_skill(skill__descriptor),
        &pb_skill(skill_list__descriptor),
        &pb_skill(get_artifact_request__descriptor),
        &pb_skill(get_artifact_response__descriptor),
        &pb_res(api_resource_reference__descriptor),
    };
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    test_fail(__FILE__, __LINE__, "no type %s", name);
}

static void check_round_trip(const char *type, str bytes)
{
    uint8_t *again = malloc(bytes.len);
    CHECK(again);
    ProtobufCMessage *m =
        protobuf_c_message_unpack(find_type(type), NULL, bytes.len, (const uint8_t *)bytes.p);
    CHECK(m);
    CHECK_INT(m->n_unknown_fields, 0);
    CHECK_INT(protobuf_c_message_get_packed_size(m), bytes.len);
    protobuf_c_message_pack(m, again);
    CHECK_STR(str_of(again, bytes.len), bytes);
    protobuf_c_message_free_unpacked(m, NULL);
    free(again);
}

TEST(golden_messages_survive_a_round_trip)
{
    json_t *all = golden_load(), *item;
    size_t i;
    json_array_foreach(all, i, item)
    {
        str bytes = golden_bytes(item);
        check_round_trip(json_string_value(json_object_get(item, "type")), bytes);
        free((char *)bytes.p);
    }
    CHECK_INT(i, 12);
    json_decref(all);
}

TEST(descriptors_are_split_into_files)
{
    str all[32];
    size_t n = proto_descriptors(all, ARRAY_SIZE(all));
    CHECK_INT(n, 13);
    bool skill = false;
    for (size_t i = 0; i < n; i++) {
        CHECK(all[i].len > 2 && all[i].p[0] == 0x0a); /* FileDescriptorProto.name */
        str name = str_of(all[i].p + 2, (size_t)all[i].p[1]);
        CHECK(str_ends_with(name, STR(".proto")));
        CHECK(!str_starts_with(name, STR("stigmer/storage/")));
        skill |= str_eq(name, STR("ai/stigmer/agentic/skill/v1/skill.proto"));
    }
    CHECK(skill);
    CHECK_INT(proto_descriptors(all, 1), 13);
}
